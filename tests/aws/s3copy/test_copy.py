"""What a copy keeps, skips and verifies, over real HTTP."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from types_boto3_s3 import S3Client

from orca_daemon.aws.s3copy import (
    Copied,
    Copier,
    CopyProgress,
    ObjectArchivedError,
    ObjectMissingError,
    S3Object,
)
from orca_daemon.aws.s3copy.plan import MIB
from tests.aws.s3copy.faulty import Faulty

MakeCopier = Callable[..., Copier]
MakeBucket = Callable[[], str]
BIG = bytes(range(256)) * (12 * MIB // 256)
KEPT: dict[str, Any] = {
    "ContentType": "application/x-hdf5",
    "CacheControl": "max-age=60",
    "ContentDisposition": 'attachment; filename="g.h5"',
    "ContentEncoding": "gzip",
    "ContentLanguage": "en",
    "Expires": datetime(2030, 1, 1, tzinfo=UTC),
    "Metadata": {"granule": "g-1"},
}


def places(bucket: MakeBucket, key: str = "d/g.h5") -> tuple[S3Object, S3Object]:
    return S3Object(bucket(), key), S3Object(bucket(), key)


def read(s3: S3Client, place: S3Object) -> bytes:
    return s3.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()


@pytest.mark.parametrize("body", [b"", b"small", BIG], ids=["empty", "small", "parts"])
async def test_type_metadata_cache_headers_and_tags_survive(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier, body: bytes
) -> None:
    source, target = places(bucket)
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=body, Tagging="kind=data&odd=a+b%2Fc", **KEPT)
    result = await copier(threshold=5 * MIB, chunk=5 * MIB).copy(source, target)
    assert result == Copied(
        size=len(body), parts=3 if body is BIG else 1, skipped=False, by="CRC32", seconds=result.seconds
    )
    assert read(s3, target) == body
    head: Any = s3.head_object(Bucket=target.bucket, Key=target.key)
    assert {name: head[name] for name in KEPT} == KEPT
    tags = s3.get_object_tagging(Bucket=target.bucket, Key=target.key)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"kind": "data", "odd": "a b/c"}


AWKWARD = (
    "a b/c.h5",
    "a+b/c+d.h5",
    "ä/ö 漢字/🛰.nc",
    "a%20b",
    "q?x=1&y=2#z",
    "x//y",
    "n" * 1024,
    "ü" * 512,
    'it\'s "q"',
)


@pytest.mark.parametrize("body", [b"small", BIG[: 6 * MIB]], ids=["one request", "parts"])
async def test_awkward_keys(s3: S3Client, bucket: MakeBucket, copier: MakeCopier, body: bytes) -> None:
    here, there = bucket(), bucket()
    for key in AWKWARD:
        s3.put_object(Bucket=here, Key=key, Body=body)
    one = copier(threshold=5 * MIB, chunk=5 * MIB)
    results = await asyncio.gather(*(one.copy(S3Object(here, key), S3Object(there, key)) for key in AWKWARD))
    assert {(result.parts, result.skipped) for result in results} == {(2 if len(body) > MIB else 1, False)}
    assert {key: read(s3, S3Object(there, key)) for key in AWKWARD} == dict.fromkeys(AWKWARD, body)
    listed = s3.list_objects_v2(Bucket=there)["Contents"]
    assert sorted(found["Key"] for found in listed) == sorted(AWKWARD)


async def test_a_restored_object_becomes_standard(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    for threshold in (5 * MIB, 1024 * MIB):
        source, target = places(bucket)
        s3.put_object(Bucket=source.bucket, Key=source.key, Body=BIG, StorageClass="GLACIER")
        with pytest.raises(ObjectArchivedError, match="is in GLACIER and not restored"):
            await copier(threshold=threshold).copy(source, target)
        s3.restore_object(Bucket=source.bucket, Key=source.key, RestoreRequest={"Days": 1})
        await copier(threshold=threshold).copy(source, target)
        assert "StorageClass" not in s3.head_object(Bucket=target.bucket, Key=target.key)


async def test_storage_class_and_key_are_settings(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    for threshold in (5 * MIB, 1024 * MIB):
        source, target = places(bucket)
        s3.put_object(Bucket=source.bucket, Key=source.key, Body=BIG)
        make = copier(threshold=threshold, storage_class="STANDARD_IA", kms_key_id="key-1")
        await make.copy(source, target)
        head = s3.head_object(Bucket=target.bucket, Key=target.key)
        assert (head["StorageClass"], head["ServerSideEncryption"]) == ("STANDARD_IA", "aws:kms")


async def test_a_target_that_holds_the_same_is_left_alone(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier, faulty: Faulty
) -> None:
    source, target = places(bucket)
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"same")
    await copier().copy(source, target)
    faulty.seen.clear()
    result = await copier().copy(source, target)
    assert (result.skipped, result.by) == (True, "CRC32")
    assert faulty.seen == ["HeadObject", "HeadObject"]


async def test_a_target_that_holds_something_else_is_replaced(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = places(bucket)
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"right")
    s3.put_object(Bucket=target.bucket, Key=target.key, Body=b"wrong")
    assert not (await copier().copy(source, target)).skipped
    assert read(s3, target) == b"right"


async def test_a_target_that_went_back_to_the_archive_is_no_copy(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = places(bucket)
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"same")
    s3.put_object(Bucket=target.bucket, Key=target.key, Body=b"same", StorageClass="GLACIER")
    assert not (await copier().copy(source, target)).skipped
    assert "StorageClass" not in s3.head_object(Bucket=target.bucket, Key=target.key)


async def test_an_object_can_be_copied_onto_itself_out_of_the_archive(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    place = S3Object(bucket(), "d/g.h5")
    s3.put_object(Bucket=place.bucket, Key=place.key, Body=b"data", StorageClass="GLACIER")
    s3.restore_object(Bucket=place.bucket, Key=place.key, RestoreRequest={"Days": 1})
    await copier().copy(place, place)
    assert "StorageClass" not in s3.head_object(Bucket=place.bucket, Key=place.key)


def put_old_upload(s3: S3Client, place: S3Object, parts: list[bytes]) -> str:
    """An object as archives hold it that are older than S3's checksums: cut, and with an ETag only."""
    upload = s3.create_multipart_upload(**place.parameters)["UploadId"]  # type: ignore[arg-type]
    done = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(
                Bucket=place.bucket, Key=place.key, UploadId=upload, PartNumber=number, Body=body
            )["ETag"],
        }
        for number, body in enumerate(parts, 1)
    ]
    return s3.complete_multipart_upload(
        Bucket=place.bucket,
        Key=place.key,
        UploadId=upload,
        MultipartUpload={"Parts": done},  # type: ignore[typeddict-item]
    )["ETag"]


async def test_without_checksums_the_copy_is_cut_like_its_source_so_that_etags_prove_it(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = places(bucket)
    etag = put_old_upload(s3, source, [BIG[: 6 * MIB], BIG[6 * MIB :]])
    result = await copier().copy(source, target)
    assert (result.parts, result.by) == (2, "ETag")
    assert s3.head_object(Bucket=target.bucket, Key=target.key)["ETag"] == etag
    assert (await copier().copy(source, target)).skipped


async def test_a_small_object_that_was_uploaded_as_one_part_is_copied_as_one_part(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = places(bucket)
    etag = put_old_upload(s3, source, [BIG[: 3 * MIB]])
    result = await copier().copy(source, target)
    assert (result.parts, result.by) == (1, "ETag")
    assert s3.head_object(Bucket=target.bucket, Key=target.key)["ETag"] == etag


async def test_where_s3_proves_nothing_the_result_says_so(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = places(bucket)
    put_old_upload(s3, source, [BIG[: 6 * MIB], BIG[6 * MIB :]])
    result = await copier().copy(source, target, chunk=8 * MIB)
    assert (result.parts, result.by) == (1, "size and every part")


async def test_the_newest_version_is_copied_and_pinned(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = places(bucket)
    for place in (source, target):
        s3.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"old", BIG):
        s3.put_object(Bucket=source.bucket, Key=source.key, Body=body)
        s3.put_object(Bucket=target.bucket, Key=target.key, Body=b"before")
        await copier(threshold=5 * MIB).copy(source, target)
        assert read(s3, target) == body


async def test_a_missing_source_is_rejected_in_a_sentence(bucket: MakeBucket, copier: MakeCopier) -> None:
    source, target = places(bucket)
    with pytest.raises(ObjectMissingError, match=r"^s3://[\w-]+/d/g\.h5 does not exist$"):
        await copier().copy(source, target)


async def test_two_copies_to_one_target_share_the_work(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier, faulty: Faulty
) -> None:
    source, target = places(bucket)
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=BIG)
    one = copier(threshold=5 * MIB)
    results = await asyncio.gather(*(one.copy(source, target) for _ in range(5)))
    assert [result.skipped for result in results].count(False) == 1
    assert faulty.seen.count("CreateMultipartUpload") == 1
    assert one._targets == {}


async def test_requests_and_files_are_bounded(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier, faulty: Faulty
) -> None:
    here, there = bucket(), bucket()
    for number in range(12):
        s3.put_object(Bucket=here, Key=f"{number}", Body=BIG)
    one = copier(threshold=5 * MIB, chunk=5 * MIB, requests=4, files=3)
    await asyncio.gather(*(one.copy(S3Object(here, f"{n}"), S3Object(there, f"{n}")) for n in range(12)))
    assert faulty.most_at_once == 4
    assert not +one.requests.in_flight


async def test_progress_is_reported_part_by_part(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = places(bucket)
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=BIG)
    reported: list[CopyProgress] = []
    await copier(reported.append, threshold=5 * MIB, chunk=5 * MIB, requests=1).copy(source, target)
    assert [(p.step, p.done) for p in reported] == [
        (0, 0),
        (5 * MIB, 5 * MIB),
        (5 * MIB, 10 * MIB),
        (2 * MIB, 12 * MIB),
    ]
    assert reported[0].left is None
    assert reported[-1].left == 0
