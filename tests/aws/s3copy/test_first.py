"""Copies that nobody is known to have begun: two requests, and the same promises as with four."""

import asyncio
from collections.abc import Callable

import pytest
from types_boto3_s3 import S3Client

from orca_daemon.aws.s3copy import Copier, ObjectArchivedError, S3Object, SourceChangedError
from orca_daemon.aws.s3copy.plan import MIB
from orca_daemon.engine.errors import Refused
from tests.aws.s3copy.faulty import Fault, Faulty, operation

MakeCopier = Callable[..., Copier]
MakeBucket = Callable[[], str]
BODY = b"x" * (6 * MIB)


@pytest.fixture
def source(s3: S3Client, bucket: MakeBucket) -> S3Object:
    place = S3Object(bucket(), "d/g.h5")
    s3.put_object(
        Bucket=place.bucket,
        Key=place.key,
        Body=BODY,
        Tagging="a=1",
        Metadata={"granule": "g-1"},
        ContentType="x/y",
    )
    return place


@pytest.fixture
def target(bucket: MakeBucket) -> S3Object:
    return S3Object(bucket(), "d/g.h5")


def read(s3: S3Client, place: S3Object) -> bytes:
    return s3.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()


async def test_a_first_copy_takes_two_requests_and_keeps_everything(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    result = await copier().copy(source, target, first=True)
    assert faulty.seen == ["HeadObject", "CopyObject"]
    assert (result.size, result.parts, result.skipped) == (len(BODY), 1, False)
    assert result.by in {"CRC32", "ETag"}
    assert read(s3, target) == BODY
    head = s3.head_object(Bucket=target.bucket, Key=target.key)
    assert (head["ContentType"], head["Metadata"]) == ("x/y", {"granule": "g-1"})
    tags = s3.get_object_tagging(Bucket=target.bucket, Key=target.key)["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}]


async def test_a_target_with_the_same_content_is_not_written_by_a_first_copy_either(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier
) -> None:
    s3.put_object(Bucket=target.bucket, Key=target.key, Body=BODY)
    written = s3.head_object(Bucket=target.bucket, Key=target.key)["LastModified"]
    assert (await copier().copy(source, target, first=True)).skipped
    head = s3.head_object(Bucket=target.bucket, Key=target.key)
    assert (head["LastModified"], head["Metadata"]) == (written, {})


async def test_a_target_with_other_content_is_replaced_and_verified(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    s3.put_object(Bucket=target.bucket, Key=target.key, Body=b"other")
    assert not (await copier().copy(source, target, first=True)).skipped
    assert read(s3, target) == BODY
    assert faulty.seen[-2:] == ["CopyObject", "HeadObject"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "ConditionalRequestConflict"), (412, "PreconditionFailed"), (501, "NotImplemented")],
    ids=["somebody writes", "it exists", "no conditions"],
)
async def test_if_s3_does_not_take_the_condition_the_target_is_read_before_and_after(
    s3: S3Client,
    source: S3Object,
    target: S3Object,
    copier: MakeCopier,
    faulty: Faulty,
    status: int,
    code: str,
) -> None:
    refused = faulty.fail(Fault(lambda request: "If-None-Match" in request.headers, status, code))
    assert not (await copier().copy(source, target, first=True)).skipped
    assert refused.hits
    assert read(s3, target) == BODY
    assert faulty.seen[-3:] == ["HeadObject", "CopyObject", "HeadObject"]


async def test_a_source_that_is_replaced_before_a_first_copy_is_noticed(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(
        Fault(
            operation("CopyObject"),
            times=1,
            before=lambda: s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"newer"),
        )
    )
    with pytest.raises(SourceChangedError):
        await copier().copy(source, target, first=True)
    assert "Contents" not in s3.list_objects_v2(Bucket=target.bucket)


async def test_in_a_versioned_bucket_a_first_copy_names_the_version(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    s3.put_bucket_versioning(Bucket=source.bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=BODY[::-1] + b"v2")
    faulty.fail(
        Fault(
            operation("CopyObject"),
            times=1,
            before=lambda: s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"newer"),
        )
    )
    await copier().copy(source, target, first=True)
    assert read(s3, target) == BODY[::-1] + b"v2"


async def test_an_answer_that_proves_nothing_is_followed_by_a_head_of_the_target(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    def other(body: bytes) -> bytes:
        return b'<CopyObjectResult><ETag>"0123"</ETag></CopyObjectResult>' if body else body

    faulty.fail(Fault(operation("CopyObject"), edit=other))
    result = await copier().copy(source, target, first=True)
    assert faulty.seen == ["HeadObject", "CopyObject", "HeadObject"]
    assert (result.by, result.skipped) == ("CRC32", False)


async def test_a_lost_answer_does_not_copy_twice(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(Fault(operation("CopyObject"), lose_answer=True, times=1))
    await copier().copy(source, target, first=True)
    assert faulty.seen.count("CopyObject") == 2
    assert read(s3, target) == BODY


async def test_of_first_copies_to_one_target_only_one_copies(
    source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    shared = copier()
    results = await asyncio.gather(*(shared.copy(source, target, first=True) for _ in range(5)))
    assert [result.skipped for result in results].count(False) == 1
    assert faulty.seen.count("CopyObject") == 1


async def test_an_object_in_parts_is_read_before_and_after_by_a_first_copy_too(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    one = copier(threshold=5 * MIB, chunk=5 * MIB)
    assert (await one.copy(source, target, first=True)).parts == 2
    assert (await one.copy(source, target, first=True)).skipped
    assert faulty.seen.count("CreateMultipartUpload") == 1


async def test_an_archived_source_is_not_copied(
    s3: S3Client, target: S3Object, bucket: MakeBucket, copier: MakeCopier
) -> None:
    cold = S3Object(bucket(), "cold")
    s3.put_object(Bucket=cold.bucket, Key=cold.key, Body=b"x", StorageClass="GLACIER")
    with pytest.raises(ObjectArchivedError):
        await copier().copy(cold, target, first=True)


async def test_a_denied_first_copy_is_reported_at_its_place(
    source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(Fault(operation("CopyObject"), 403, "AccessDenied"))
    with pytest.raises(Refused) as caught:
        await copier().copy(source, target, first=True)
    assert caught.value.place == f"write {target.bucket}"
