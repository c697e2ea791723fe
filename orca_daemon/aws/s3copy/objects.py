"""An object's bucket and key, what HeadObject returns about it, and whether two objects hold the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orca_daemon.aws.errors import Meaning
from orca_daemon.aws.s3copy.errors import ObjectMissingError
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError

ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes whose objects can only be read after a restore (AWS: S3 storage classes)."""
HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
)
"""Parameters for the headers that S3 keeps with an object; `Expires` is one of the raw headers."""
CHECKSUMS = ("CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1")
"""Algorithms whose checksums are compared; those that S3 computes over whole multipart objects come first."""
_STATUS_ONLY = frozenset({"400", "403"})
"""Codes of errors of HEAD that give nothing but the status."""
_PLAIN_ETAG = re.compile(r'^"?[0-9a-f]{32}"?$')
_MULTIPART_ETAG = re.compile(r'^"?[0-9a-f]{32}-(\d+)"?$')


@dataclass(frozen=True, slots=True)
class S3Object:
    """A bucket and a key, as S3 stores it (not URL-encoded)."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @classmethod
    def of(cls, url: str) -> "S3Object":
        """The object that a URL of the form `s3://bucket/key` names.

        Raises:
            ValueError: the URL has another form.
        """
        bucket, slash, key = url.removeprefix("s3://").partition("/")
        if not (url.startswith("s3://") and bucket and slash and key):
            raise ValueError(f"{url!r} is not of the form s3://bucket/key")
        return cls(bucket, key)

    @property
    def parameters(self) -> dict[str, str]:
        """The object as parameters of S3's operations."""
        return {"Bucket": self.bucket, "Key": self.key}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHead:
    """The response of HeadObject for one version of an object."""

    size: int
    etag: str
    """With its quotation marks."""
    version: str | None = None
    storage_class: str = "STANDARD"
    restore: str = ""
    """The `x-amz-restore` header."""
    archive_status: str = ""
    """The archive tier of Intelligent-Tiering that the object is in; empty if it is in none."""
    encryption: str = ""
    """`AES256`, `aws:kms` and the like; empty if S3 reports none."""
    headers: Mapping[str, Any] = field(default_factory=dict)
    """Content type, cache headers and the like, by parameter name (`HEADERS`)."""
    raw_headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that botocore would refuse or rewrite: metadata need not be ASCII, nor `Expires` a date."""
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Checksums of the whole object, by algorithm."""

    @property
    def in_archive(self) -> bool:
        """Whether it is in an archive class or tier, even if a restored copy can be read for some days."""
        return self.storage_class in ARCHIVES or bool(self.archive_status)

    @property
    def archived(self) -> bool:
        """Whether it cannot be read now: it is in an archive, and not restored."""
        return self.in_archive and 'ongoing-request="false"' not in self.restore

    @property
    def restoring(self) -> bool:
        """Whether a restore is under way."""
        return 'ongoing-request="true"' in self.restore

    @property
    def digest(self) -> bool:
        """Whether the ETag is the MD5 of the whole content.  With KMS, or in parts, it is not."""
        return bool(_PLAIN_ETAG.match(self.etag)) and "kms" not in self.encryption

    @property
    def part_count(self) -> int:
        """Number of parts in the ETag; 0 if it has none."""
        match = _MULTIPART_ETAG.match(self.etag)
        return int(match[1]) if match else 0


async def head_object(requests: Requests, target: S3Object) -> ObjectHead:
    """HeadObject of the newest version.

    Raises:
        ObjectMissingError: the object or the bucket does not exist; a response to HEAD does not say which.
        S3RequestError: any other failure.
    """
    try:
        return parsed(await requests.call("head_object", **target.parameters, ChecksumMode="ENABLED"))
    except S3RequestError as failure:
        if failure.meaning is Meaning.MISSING:
            raise ObjectMissingError(f"{target} does not exist") from failure
        if failure.code in _STATUS_ONLY:
            raise await _explained(requests, target, failure) from failure
        raise


async def _explained(requests: Requests, target: S3Object, failure: S3RequestError) -> S3RequestError:
    """The failure of a GET in place of that of a HEAD, because only the response to GET has an error code."""
    try:
        response = await requests.call("get_object", **target.parameters, Range="bytes=0-0")
    except S3RequestError as explained:
        return failure if explained.meaning in {Meaning.DENIED, Meaning.MISSING} else explained
    response["Body"].close()
    return failure


def parsed(head: Mapping[str, Any]) -> ObjectHead:
    """Convert the response of HeadObject."""
    return ObjectHead(
        size=head["ContentLength"],
        etag=head["ETag"],
        version=head.get("VersionId"),
        storage_class=head.get("StorageClass") or "STANDARD",
        restore=head.get("Restore", ""),
        archive_status=head.get("ArchiveStatus", ""),
        encryption=head.get("ServerSideEncryption", ""),
        headers={name: head[name] for name in HEADERS if head.get(name)},
        raw_headers=_raw_headers(head),
        checksums=_whole_checksums(head),
    )


def of_copy(response: Mapping[str, Any], source: ObjectHead) -> ObjectHead:
    """What the response of CopyObject says about the copy.  Of its size it says nothing."""
    result = response["CopyObjectResult"]
    return ObjectHead(
        size=source.size,
        etag=result["ETag"],
        encryption=response.get("ServerSideEncryption", ""),
        checksums=_whole_checksums(result),
    )


def _raw_headers(head: Mapping[str, Any]) -> dict[str, str]:
    metadata = {f"x-amz-meta-{name}": value for name, value in head.get("Metadata", {}).items()}
    return metadata | ({"Expires": head["ExpiresString"]} if head.get("ExpiresString") else {})


def _whole_checksums(head: Mapping[str, Any]) -> dict[str, str]:
    if head.get("ChecksumType") == "COMPOSITE":
        return {}
    given = {name: head.get(f"Checksum{name}") for name in CHECKSUMS}
    return {name: value for name, value in given.items() if value and "-" not in value}


@dataclass(frozen=True, slots=True)
class ContentMatch:
    """The result of comparing two objects."""

    same: bool | None
    """None if what S3 reports proves neither."""
    by: str
    """What decided: `size`, `ETag`, or the name of a checksum."""


def compare(one: ObjectHead, other: ObjectHead) -> ContentMatch:
    """Compare by size, then by checksum of the whole object, then by ETag.

    Equal ETags of any kind mean equal content.  The ETags of objects with other parts, or encrypted by KMS,
    may differ although the content is equal.
    """
    if one.size != other.size:
        return ContentMatch(same=False, by="size")
    for name in one.checksums.keys() & other.checksums.keys():
        return ContentMatch(same=one.checksums[name] == other.checksums[name], by=name)
    if one.etag == other.etag:
        return ContentMatch(same=True, by="ETag")
    if one.digest and other.digest:
        return ContentMatch(same=False, by="ETag")
    return ContentMatch(same=None, by="size")
