"""Copies while S3 fails, over real HTTP: no incomplete object, and no upload left behind."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from aiohttp import web
from structlog.testing import capture_logs
from types_boto3_s3 import S3Client

from orca_daemon.aws.s3copy import Copier, ObjectMissingError, S3Object, SourceChangedError, VerificationError
from orca_daemon.aws.s3copy.plan import MIB
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from tests.aws.s3copy.faulty import Fault, Faulty, operation, part

MakeCopier = Callable[..., Copier]
MakeBucket = Callable[[], str]
Match = Callable[[web.Request], bool]
BIG = bytes(range(256)) * (17 * MIB // 256)
FORBIDDEN, SLOW = 403, 503
NO_LIMIT = 600.0


@pytest.fixture
def source(s3: S3Client, bucket: MakeBucket) -> S3Object:
    place = S3Object(bucket(), "d/g.h5")
    s3.put_object(Bucket=place.bucket, Key=place.key, Body=BIG)
    return place


@pytest.fixture
def target(bucket: MakeBucket) -> S3Object:
    return S3Object(bucket(), "d/g.h5")


@pytest.fixture
def parts(copier: MakeCopier) -> Copier:
    return copier(threshold=5 * MIB, chunk=5 * MIB)


def keys(s3: S3Client, place: S3Object) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=place.bucket).get("Contents", [])]


def uploads(s3: S3Client, place: S3Object) -> list[str]:
    return [item["UploadId"] for item in s3.list_multipart_uploads(Bucket=place.bucket).get("Uploads", [])]


def same(s3: S3Client, target: S3Object, body: bytes = BIG) -> bool:
    return s3.get_object(Bucket=target.bucket, Key=target.key)["Body"].read() == body


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError")])
async def test_a_copy_succeeds_though_each_request_fails_three_times(
    s3: S3Client, source: S3Object, target: S3Object, parts: Copier, faulty: Faulty, status: int, code: str
) -> None:
    counts: Counter[str] = Counter()

    def first_three(request: web.Request) -> bool:
        counts[request.raw_path] += 1
        return counts[request.raw_path] <= 3

    faulty.fail(Fault(first_three, status, code))
    assert (await parts.copy(source, target)).parts == 4
    assert same(s3, target)


@pytest.mark.parametrize("name", ["HeadObject", "UploadPartCopy"])
async def test_if_s3_keeps_asking_to_slow_down_the_copy_is_not_charged(
    s3: S3Client, source: S3Object, target: S3Object, parts: Copier, faulty: Faulty, name: str
) -> None:
    faulty.fail(Fault(operation(name), SLOW, "SlowDown"))
    with pytest.raises(NotYet, match="S3 asks to slow down"):
        await parts.copy(source, target)
    assert keys(s3, target) == []


async def test_if_s3_keeps_failing_it_is_down(
    s3: S3Client, source: S3Object, target: S3Object, parts: Copier, faulty: Faulty
) -> None:
    faulty.fail(Fault(operation("UploadPartCopy"), 500, "InternalError"))
    with pytest.raises(DependencyDown, match="s3 is down: InternalError after several tries"):
        await parts.copy(source, target)
    assert keys(s3, target) == []


@pytest.mark.parametrize("name", ["CopyObject", "UploadPartCopy", "CompleteMultipartUpload"])
async def test_an_error_under_status_200_is_an_error(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty, name: str
) -> None:
    fault = faulty.fail(Fault(operation(name), 200, "InternalError", times=2))
    await copier(threshold=(1024 if name == "CopyObject" else 5) * MIB).copy(source, target)
    assert fault.hits == 2
    assert same(s3, target)


async def test_a_part_may_fail_twice(
    s3: S3Client, source: S3Object, target: S3Object, parts: Copier, faulty: Faulty
) -> None:
    fault = faulty.fail(Fault(part(3), 500, "InternalError", times=2))
    await parts.copy(source, target)
    assert fault.hits == 2
    assert same(s3, target)


async def test_a_part_is_copied_again_after_a_connection_reset(
    s3: S3Client, source: S3Object, target: S3Object, parts: Copier, faulty: Faulty
) -> None:
    faulty.fail(Fault(part(2), cut=True, times=1))
    await parts.copy(source, target)
    assert same(s3, target)


@pytest.mark.parametrize("name", ["CompleteMultipartUpload", "CreateMultipartUpload", "UploadPartCopy"])
async def test_a_lost_response_changes_nothing(
    s3: S3Client,
    source: S3Object,
    target: S3Object,
    parts: Copier,
    copier: MakeCopier,
    faulty: Faulty,
    name: str,
) -> None:
    faulty.fail(Fault(operation(name), lose_answer=True, times=1))
    await parts.copy(source, target)
    assert same(s3, target)
    # If the response to CreateMultipartUpload was lost, its id is unknown: the next copy aborts the upload.
    assert (await copier(threshold=5 * MIB, idle=0.0).copy(source, target)).skipped


async def test_a_source_that_is_replaced_between_two_parts_is_noticed(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    other = BIG[::-1]
    faulty.fail(
        Fault(
            part(3), times=1, before=lambda: s3.put_object(Bucket=source.bucket, Key=source.key, Body=other)
        )
    )
    one = copier(threshold=5 * MIB, chunk=5 * MIB, requests=1)
    with pytest.raises(SourceChangedError, match="was replaced while it was copied"):
        await one.copy(source, target)
    assert keys(s3, target) == []
    await one.copy(source, target)
    assert same(s3, target, other)


async def test_a_source_that_is_replaced_before_a_copy_in_one_request_is_noticed(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(
        Fault(
            operation("CopyObject"),
            times=1,
            before=lambda: s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"other"),
        )
    )
    with pytest.raises(SourceChangedError):
        await copier().copy(source, target)


async def test_in_a_versioned_bucket_the_version_of_the_head_request_is_copied(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    s3.put_bucket_versioning(Bucket=source.bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=BIG)
    faulty.fail(
        Fault(
            operation("CreateMultipartUpload"),
            times=1,
            before=lambda: s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"other"),
        )
    )
    await copier(threshold=5 * MIB).copy(source, target)
    assert same(s3, target)


async def test_a_target_that_is_overwritten_during_the_copy_is_an_error(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(
        Fault(
            operation("CopyObject"),
            times=1,
            after=lambda: s3.put_object(Bucket=target.bucket, Key=target.key, Body=b"somebody else"),
        )
    )
    with pytest.raises(VerificationError, match="differs from its source in size"):
        await copier().copy(source, target)


async def test_a_missing_target_bucket_is_rejected_by_name(source: S3Object, copier: MakeCopier) -> None:
    for threshold in (5 * MIB, 1024 * MIB):
        with pytest.raises(Reject, match=r"^bucket no-such-bucket does not exist$"):
            await copier(threshold=threshold).copy(source, S3Object("no-such-bucket", "k"))


@pytest.mark.parametrize("bucket_name", ["Bad_Bucket!", "no/such", "arn:aws:s3:::b"])
async def test_an_invalid_bucket_name_is_rejected_in_a_short_sentence(
    source: S3Object, target: S3Object, copier: MakeCopier, bucket_name: str
) -> None:
    invalid = S3Object(bucket_name, "k")
    for from_object, to_object in ((source, invalid), (invalid, target)):
        with pytest.raises(Reject) as caught:
            await copier().copy(from_object, to_object)
        assert str(caught.value) == f's3://{bucket_name}/k: Invalid bucket name "{bucket_name}"'


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("HeadObject", "access denied: s3://.* may not be read, or does not exist"),
        (
            "CreateMultipartUpload",
            "access denied: CreateMultipartUpload from s3://.* to s3://.*: injected by the test$",
        ),
        ("UploadPartCopy", "access denied: UploadPartCopy from .*: injected by the test$"),
        ("CompleteMultipartUpload", "access denied: CompleteMultipartUpload from .*: injected by the test$"),
        ("GetObjectTagging", "access denied: the tags of s3://.* may not be read: injected by the test$"),
    ],
)
async def test_a_denial_names_the_operation_and_the_objects(
    source: S3Object, target: S3Object, parts: Copier, faulty: Faulty, name: str, sentence: str
) -> None:
    faulty.fail(Fault(operation(name), FORBIDDEN, "AccessDenied"))
    with pytest.raises(Refused, match=sentence) as caught:
        await parts.copy(source, target)
    reads = name in {"HeadObject", "GetObjectTagging"}
    assert caught.value.place == f"read {source.bucket}" if reads else f"write {target.bucket}"


async def test_a_denied_head_of_the_target_does_not_stop_the_copy(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(
        Fault(
            lambda request: request.method == "HEAD" and target.bucket in request.path,
            FORBIDDEN,
            "AccessDenied",
            times=1,
        )
    )
    await copier().copy(source, target)
    assert same(s3, target)


async def test_a_source_that_is_removed_before_the_copy_is_missing(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(
        Fault(
            operation("CopyObject"),
            before=lambda: s3.delete_object(Bucket=source.bucket, Key=source.key),
        )
    )
    with pytest.raises(ObjectMissingError):
        await copier().copy(source, target)


@pytest.mark.parametrize("threshold", [5 * MIB, 1024 * MIB], ids=["parts", "one request"])
async def test_if_the_restore_expires_before_the_copy_the_source_is_archived(
    source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty, threshold: int
) -> None:
    copying = ("CopyObject", "UploadPartCopy")
    faulty.fail(
        Fault(
            lambda request: any(operation(name)(request) for name in copying), FORBIDDEN, "InvalidObjectState"
        )
    )
    with pytest.raises(Reject, match="is archived and not restored"):
        await copier(threshold=threshold).copy(source, target)


async def test_a_head_that_is_refused_without_a_reason_reports_the_possible_ones(
    source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(Fault(operation("HeadObject"), 400))
    with pytest.raises(DependencyDown, match=r"credentials are refused, or the object has .* \(SSE-C\)$"):
        await copier().copy(source, target)


@pytest.mark.parametrize("match", [operation("HeadObject"), part(2)], ids=["HEAD, without a body", "a part"])
async def test_with_expired_credentials_s3_is_down_until_they_are_replaced(
    s3: S3Client, source: S3Object, target: S3Object, parts: Copier, faulty: Faulty, match: Match
) -> None:
    expired = faulty.fail(Fault(match, 400, "ExpiredToken"))
    with pytest.raises(DependencyDown, match="credentials are refused"):
        await parts.copy(source, target)
    expired.times = 0
    await parts.copy(source, target)
    assert same(s3, target)


async def test_an_upload_that_could_not_be_aborted_is_aborted_by_the_next_copy(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    copying = ("UploadPartCopy", "AbortMultipartUpload")
    expired = faulty.fail(
        Fault(lambda request: any(operation(name)(request) for name in copying), 400, "ExpiredToken")
    )
    one = copier(threshold=5 * MIB, chunk=5 * MIB, idle=0.0)
    with pytest.raises(DependencyDown), capture_logs() as logs:
        await one.copy(source, target)
    [left] = uploads(s3, target)
    [entry_left] = [entry for entry in logs if entry["event"] == "copy.upload_left"]
    assert (entry_left["target"], entry_left["upload"], entry_left["reason"]) == (
        str(target),
        left,
        "ExpiredToken",
    )
    expired.times = 0
    await one.copy(source, target)
    assert same(s3, target)


async def test_an_abandoned_upload_that_may_not_be_aborted_does_not_stop_the_copy(
    s3: S3Client, source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    abandoned = s3.create_multipart_upload(Bucket=target.bucket, Key=target.key)["UploadId"]
    refused = faulty.fail(Fault(operation("AbortMultipartUpload"), FORBIDDEN, "AccessDenied"))
    await copier(threshold=5 * MIB, idle=0.0).copy(source, target)
    assert (refused.hits, uploads(s3, target)) == (1, [abandoned])
    assert same(s3, target)
    s3.abort_multipart_upload(Bucket=target.bucket, Key=target.key, UploadId=abandoned)


async def test_a_recent_upload_of_another_process_is_not_aborted(
    s3: S3Client, source: S3Object, target: S3Object, parts: Copier
) -> None:
    other = s3.create_multipart_upload(Bucket=target.bucket, Key=target.key)["UploadId"]
    await parts.copy(source, target)
    assert uploads(s3, target) == [other]
    s3.abort_multipart_upload(Bucket=target.bucket, Key=target.key, UploadId=other)


async def test_if_s3_is_unreachable_it_is_down(
    source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(Fault(lambda _: True, cut=True))
    with pytest.raises(DependencyDown) as caught:
        await copier().copy(source, target)
    assert caught.value.dependency == "s3"


@pytest.mark.parametrize(
    "name", ["CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload", "CopyObject"]
)
async def test_a_cancelled_copy_leaves_no_upload_and_no_incomplete_object(
    s3: S3Client,
    source: S3Object,
    target: S3Object,
    copier: MakeCopier,
    faulty: Faulty,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr("orca_daemon.aws.s3copy.multipart.CANCELLATION_GRACE", NO_LIMIT)
    one = copier(threshold=1024 * MIB if name == "CopyObject" else 5 * MIB, chunk=5 * MIB)
    fault = faulty.fail(Fault(operation(name), times=1, hold=asyncio.Event()))
    copying = asyncio.create_task(one.copy(source, target))
    await fault.reached.wait()
    copying.cancel()
    assert fault.hold
    asyncio.get_running_loop().call_soon(fault.hold.set)
    with pytest.raises(asyncio.CancelledError):
        await copying
    assert uploads(s3, target) == []
    assert keys(s3, target) == [] or same(s3, target)
    assert one._targets == {}
    assert not +one.requests.in_flight
    await one.copy(source, target)
    assert same(s3, target)


async def test_a_cancelled_copy_does_not_wait_for_an_s3_that_hangs(
    s3: S3Client,
    source: S3Object,
    target: S3Object,
    parts: Copier,
    faulty: Faulty,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orca_daemon.aws.s3copy.multipart.CANCELLATION_GRACE", 0.0)
    hung = faulty.fail(Fault(operation("CompleteMultipartUpload"), hold=asyncio.Event()))
    copying = asyncio.create_task(parts.copy(source, target))
    await hung.reached.wait()
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    assert (keys(s3, target), uploads(s3, target)) == ([], [])
