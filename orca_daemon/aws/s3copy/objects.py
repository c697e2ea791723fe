"""An object's bucket and key, and what HeadObject returns about it."""

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
"""What S3 keeps of an object's headers, by the names of parameters; `Expires` is among the verbatim ones."""
CHECKSUMS = ("CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1")
"""Algorithms whose checksums are compared, the ones of whole multipart objects first."""
_WITHOUT_REASON = frozenset({"400", "403"})
"""Answers to HEAD of which the code is all that is known."""
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
        """The place that `s3://bucket/key` names.

        Raises:
            ValueError: it does not name one.
        """
        bucket, slash, key = url.removeprefix("s3://").partition("/")
        if not (url.startswith("s3://") and bucket and slash and key):
            raise ValueError(f"{url!r} is not of the form s3://bucket/key")
        return cls(bucket, key)

    @property
    def parameters(self) -> dict[str, str]:
        """As S3's operations take it."""
        return {"Bucket": self.bucket, "Key": self.key}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHead:
    """What HeadObject says of one version of an object."""

    size: int
    etag: str
    """With its quotation marks."""
    version: str | None = None
    storage_class: str = "STANDARD"
    restore: str = ""
    """The `x-amz-restore` header."""
    archive_status: str = ""
    """Which archive tier of Intelligent-Tiering the object is in."""
    encryption: str = ""
    headers: Mapping[str, Any] = field(default_factory=dict)
    """Content type, cache headers and the like, by parameter name."""
    verbatim: Mapping[str, str] = field(default_factory=dict)
    """Headers that botocore would refuse or reword: metadata need not be ASCII, nor `Expires` a date."""
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Checksums of the whole object, by algorithm."""

    @property
    def in_archive(self) -> bool:
        """Whether it is in an archive class or tier, even if it is restored for some days."""
        return self.storage_class in ARCHIVES or bool(self.archive_status)

    @property
    def archived(self) -> bool:
        """Whether it cannot be read now."""
        return self.in_archive and 'ongoing-request="false"' not in self.restore

    @property
    def restoring(self) -> bool:
        """Whether a restore is under way."""
        return 'ongoing-request="true"' in self.restore

    @property
    def digest(self) -> bool:
        """Whether the ETag is the MD5 of the whole content (it is not under KMS, nor in parts)."""
        return bool(_PLAIN_ETAG.match(self.etag)) and "kms" not in self.encryption

    @property
    def part_count(self) -> int:
        """Number of parts in the ETag; 0 if it has none."""
        match = _MULTIPART_ETAG.match(self.etag)
        return int(match[1]) if match else 0


async def head_object(requests: Requests, place: S3Object) -> ObjectHead:
    """HeadObject of the newest version.

    Raises:
        ObjectMissingError: there is no such object, or no such bucket: the answer to HEAD has no body that
            says which.
        S3RequestError: S3 does not say.
    """
    try:
        return parsed(await requests.call("head_object", **place.parameters, ChecksumMode="ENABLED"))
    except S3RequestError as failure:
        if failure.meaning is Meaning.MISSING:
            raise ObjectMissingError(f"{place} does not exist") from failure
        if failure.code in _WITHOUT_REASON:
            raise await _reason(requests, place, failure) from failure
        raise


async def _reason(requests: Requests, place: S3Object, failure: S3RequestError) -> S3RequestError:
    """Why HEAD was refused: the answer to GET has a body that says so."""
    try:
        answer = await requests.call("get_object", **place.parameters, Range="bytes=0-0")
    except S3RequestError as explanation:
        return failure if explanation.meaning in {Meaning.DENIED, Meaning.MISSING} else explanation
    answer["Body"].close()
    return failure


def parsed(head: Mapping[str, Any]) -> ObjectHead:
    """Read the answer of HeadObject."""
    return ObjectHead(
        size=head["ContentLength"],
        etag=head["ETag"],
        version=head.get("VersionId"),
        storage_class=head.get("StorageClass") or "STANDARD",
        restore=head.get("Restore", ""),
        archive_status=head.get("ArchiveStatus", ""),
        encryption=head.get("ServerSideEncryption", ""),
        headers={name: head[name] for name in HEADERS if head.get(name)},
        verbatim=_verbatim(head),
        checksums=_whole_checksums(head),
    )


def _verbatim(head: Mapping[str, Any]) -> dict[str, str]:
    found = {f"x-amz-meta-{name}": value for name, value in head.get("Metadata", {}).items()}
    return found | ({"Expires": head["ExpiresString"]} if head.get("ExpiresString") else {})


def _whole_checksums(head: Mapping[str, Any]) -> dict[str, str]:
    if head.get("ChecksumType") == "COMPOSITE":
        return {}
    found = {name: head.get(f"Checksum{name}") for name in CHECKSUMS}
    return {name: value for name, value in found.items() if value and "-" not in value}
