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


def source_and_target(bucket: MakeBucket, key: str = "d/g.h5") -> tuple[S3Object, S3Object]:
    return S3Object(bucket(), key), S3Object(bucket(), key)


def read(s3: S3Client, place: S3Object) -> bytes:
    return s3.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()


@pytest.mark.parametrize("body", [b"", b"small", BIG], ids=["empty", "small", "parts"])
async def test_type_metadata_cache_headers_and_tags_are_kept(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier, body: bytes
) -> None:
    source, target = source_and_target(bucket)
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


UNUSUAL_KEYS = (
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
async def test_keys_with_unusual_characters_are_copied(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier, body: bytes
) -> None:
    archive, destination = bucket(), bucket()
    for key in UNUSUAL_KEYS:
        s3.put_object(Bucket=archive, Key=key, Body=body)
    shared = copier(threshold=5 * MIB, chunk=5 * MIB)
    results = await asyncio.gather(
        *(shared.copy(S3Object(archive, key), S3Object(destination, key)) for key in UNUSUAL_KEYS)
    )
    assert {(result.parts, result.skipped) for result in results} == {(2 if len(body) > MIB else 1, False)}
    assert {key: read(s3, S3Object(destination, key)) for key in UNUSUAL_KEYS} == dict.fromkeys(
        UNUSUAL_KEYS, body
    )
    listed = s3.list_objects_v2(Bucket=destination)["Contents"]
    assert sorted(item["Key"] for item in listed) == sorted(UNUSUAL_KEYS)


async def test_a_restored_object_becomes_standard(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    for threshold in (5 * MIB, 1024 * MIB):
        source, target = source_and_target(bucket)
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
        source, target = source_and_target(bucket)
        s3.put_object(Bucket=source.bucket, Key=source.key, Body=BIG)
        make = copier(threshold=threshold, storage_class="STANDARD_IA", kms_key_id="key-1")
        await make.copy(source, target)
        head = s3.head_object(Bucket=target.bucket, Key=target.key)
        assert (head["StorageClass"], head["ServerSideEncryption"]) == ("STANDARD_IA", "aws:kms")


async def test_a_target_that_holds_the_same_is_not_copied_again(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier, faulty: Faulty
) -> None:
    source, target = source_and_target(bucket)
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"same")
    await copier().copy(source, target)
    faulty.seen.clear()
    result = await copier().copy(source, target)
    assert (result.skipped, result.by) == (True, "CRC32")
    assert faulty.seen == ["HeadObject", "HeadObject"]


async def test_a_target_that_holds_something_else_is_replaced(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = source_and_target(bucket)
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"right")
    s3.put_object(Bucket=target.bucket, Key=target.key, Body=b"wrong")
    assert not (await copier().copy(source, target)).skipped
    assert read(s3, target) == b"right"


async def test_a_target_in_an_archive_storage_class_is_copied_again(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = source_and_target(bucket)
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"same")
    s3.put_object(Bucket=target.bucket, Key=target.key, Body=b"same", StorageClass="GLACIER")
    assert not (await copier().copy(source, target)).skipped
    assert "StorageClass" not in s3.head_object(Bucket=target.bucket, Key=target.key)


async def test_a_restored_object_can_be_copied_onto_itself(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    place = S3Object(bucket(), "d/g.h5")
    s3.put_object(Bucket=place.bucket, Key=place.key, Body=b"data", StorageClass="GLACIER")
    s3.restore_object(Bucket=place.bucket, Key=place.key, RestoreRequest={"Days": 1})
    await copier().copy(place, place)
    assert "StorageClass" not in s3.head_object(Bucket=place.bucket, Key=place.key)


def put_old_upload(s3: S3Client, place: S3Object, parts: list[bytes]) -> str:
    """Make an object as in archives older than S3's checksums: uploaded in parts, with an ETag only."""
    upload = s3.create_multipart_upload(**place.parameters)["UploadId"]  # type: ignore[arg-type]
    uploaded = [
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
        MultipartUpload={"Parts": uploaded},  # type: ignore[typeddict-item]
    )["ETag"]


async def test_without_checksums_the_copy_has_the_parts_of_its_source_so_that_etags_prove_it(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = source_and_target(bucket)
    etag = put_old_upload(s3, source, [BIG[: 6 * MIB], BIG[6 * MIB :]])
    result = await copier().copy(source, target)
    assert (result.parts, result.by) == (2, "ETag")
    assert s3.head_object(Bucket=target.bucket, Key=target.key)["ETag"] == etag
    assert (await copier().copy(source, target)).skipped


async def test_a_small_object_that_was_uploaded_as_one_part_is_copied_as_one_part(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = source_and_target(bucket)
    etag = put_old_upload(s3, source, [BIG[: 3 * MIB]])
    result = await copier().copy(source, target)
    assert (result.parts, result.by) == (1, "ETag")
    assert s3.head_object(Bucket=target.bucket, Key=target.key)["ETag"] == etag


async def test_without_checksum_and_etag_the_proof_is_size_and_every_part(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = source_and_target(bucket)
    put_old_upload(s3, source, [BIG[: 6 * MIB], BIG[6 * MIB :]])
    result = await copier().copy(source, target, chunk=8 * MIB)
    assert (result.parts, result.by) == (1, "size and every part")


async def test_the_newest_version_is_copied(s3: S3Client, bucket: MakeBucket, copier: MakeCopier) -> None:
    source, target = source_and_target(bucket)
    for place in (source, target):
        s3.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"old", BIG):
        s3.put_object(Bucket=source.bucket, Key=source.key, Body=body)
        s3.put_object(Bucket=target.bucket, Key=target.key, Body=b"before")
        await copier(threshold=5 * MIB).copy(source, target)
        assert read(s3, target) == body


async def test_a_missing_source_is_rejected(bucket: MakeBucket, copier: MakeCopier) -> None:
    source, target = source_and_target(bucket)
    with pytest.raises(ObjectMissingError, match=r"^s3://[\w-]+/d/g\.h5 does not exist$"):
        await copier().copy(source, target)


async def test_of_copies_to_one_target_only_the_first_copies(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier, faulty: Faulty
) -> None:
    source, target = source_and_target(bucket)
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=BIG)
    shared = copier(threshold=5 * MIB)
    results = await asyncio.gather(*(shared.copy(source, target) for _ in range(5)))
    assert [result.skipped for result in results].count(False) == 1
    assert faulty.seen.count("CreateMultipartUpload") == 1
    assert shared._targets == {}


async def test_requests_and_files_at_one_time_are_limited(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier, faulty: Faulty
) -> None:
    archive, destination = bucket(), bucket()
    for number in range(12):
        s3.put_object(Bucket=archive, Key=f"{number}", Body=BIG)
    shared = copier(threshold=5 * MIB, chunk=5 * MIB, requests=4, files=3)
    await asyncio.gather(
        *(shared.copy(S3Object(archive, f"{n}"), S3Object(destination, f"{n}")) for n in range(12))
    )
    assert faulty.most_at_once == 4
    assert not +shared.requests.in_flight


async def test_progress_is_reported_part_by_part(
    s3: S3Client, bucket: MakeBucket, copier: MakeCopier
) -> None:
    source, target = source_and_target(bucket)
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
