"""Copies in one request and in parts keep the same metadata, and fail in the same way."""

from collections.abc import Callable
from typing import Any

import pytest
from types_boto3_s3 import S3Client

from orca_daemon.aws.s3copy import Copier, S3Object
from orca_daemon.aws.s3copy.plan import MIB
from tests.aws.s3copy.faulty import Fault, Faulty, operation

MakeCopier = Callable[..., Copier]
MakeBucket = Callable[[], str]
BODY = b"x" * (6 * MIB)
KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "ExpiresString",
    "Metadata",
    "StorageClass",
    "TagCount",
)
UMLAUT = "Müller".encode().decode("latin-1")
"""Raw UTF-8 in a header, as boto3 puts it on the wire."""


@pytest.fixture
def both(s3: S3Client, bucket: MakeBucket, copier: MakeCopier) -> Callable[..., Any]:
    """Copies an object in one request and in parts; returns the metadata of the source and both copies."""

    async def copied(headers: dict[str, str], **parameters: Any) -> list[dict[str, Any]]:
        def add(request: Any, **_: Any) -> None:
            for name, value in headers.items():
                request.headers[name] = value

        source = S3Object(bucket(), "d/g.h5")
        s3.meta.events.register("before-sign.s3.PutObject", add)
        try:
            s3.put_object(Bucket=source.bucket, Key=source.key, Body=BODY, **parameters)
        finally:
            s3.meta.events.unregister("before-sign.s3.PutObject", add)
        targets = {threshold: S3Object(bucket(), source.key) for threshold in (1024, 5)}
        for threshold, target in targets.items():
            await copier(threshold=threshold * MIB, chunk=5 * MIB).copy(source, target)
        return [metadata(place) for place in (source, *targets.values())]

    def metadata(place: S3Object) -> dict[str, Any]:
        head = s3.head_object(Bucket=place.bucket, Key=place.key)
        tags = s3.get_object_tagging(Bucket=place.bucket, Key=place.key)["TagSet"]
        return {"tags": tags, **{name: head.get(name) for name in KEPT}}

    return copied


ENCODED = "=?UTF-8?B?TcO8bGxlcg==?="
"""How S3 itself returns metadata that is not ASCII."""
METADATA: dict[str, tuple[dict[str, str], str]] = {
    "UTF-8": ({"x-amz-meta-title": UMLAUT}, "Metadata"),
    "RFC 2047": ({"x-amz-meta-title": ENCODED}, "Metadata"),
    "two": ({"x-amz-meta-a": "1", "x-amz-meta-b-c": "2  3"}, "Metadata"),
    "no date": ({"Expires": "never"}, "ExpiresString"),
    "zero": ({"Expires": "0"}, "ExpiresString"),
    "a date": ({"Expires": "Wed, 21 Oct 2099 07:28:00 GMT"}, "ExpiresString"),
    "another date": ({"Expires": "2099-10-21"}, "ExpiresString"),
    "cache": ({"Cache-Control": "no-cache, max-age=0"}, "CacheControl"),
    "encoding": ({"Content-Encoding": "gzip"}, "ContentEncoding"),
    "language": ({"Content-Language": "de, en"}, "ContentLanguage"),
    "type": ({"Content-Type": "application/x-hdf5"}, "ContentType"),
    "disposition": ({"Content-Disposition": f'attachment; filename="{UMLAUT}.h5"'}, "ContentDisposition"),
}


@pytest.mark.parametrize(("headers", "name"), METADATA.values(), ids=METADATA)
async def test_metadata_is_kept_by_a_copy_of_either_kind(
    both: Callable[..., Any], headers: dict[str, str], name: str
) -> None:
    source, small, large = await both(headers)
    assert source[name]
    assert small == large == source


async def test_tags_are_kept_by_a_copy_of_either_kind(both: Callable[..., Any]) -> None:
    source, small, large = await both({}, Tagging="a=1&b+c=%C3%BC&d=")
    assert [tag["Key"] for tag in source["tags"]] == ["a", "b c", "d"]
    assert small == large == source


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "NoSuchTagSet"),
        (404, "NoSuchTagSetError"),
        (404, ""),
        (405, "MethodNotAllowed"),
        (501, "NotImplemented"),
    ],
    ids=str,
)
async def test_an_object_without_tags_is_copied_whatever_error_the_store_returns(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier, faulty: Faulty, status: int, code: str
) -> None:
    source, target = S3Object(bucket(), "k"), S3Object(bucket(), "k")
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=BODY)
    faulty.fail(Fault(operation("GetObjectTagging"), status, code))
    assert (await copier(threshold=5 * MIB).copy(source, target)).parts == 1
