"""Copy requests: copies, posted statuses, and requests that are given up."""

from collections.abc import Callable
from typing import Any

import pytest
from types_boto3_s3 import S3Client

from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from tests.aws.s3copy.faulty import Fault, Faulty, operation
from tests.queues.recovery.conftest import World

MakeBucket = Callable[[], str]


def request(source: str, target: str, key: str = "d/g.h5", **changes: Any) -> dict[str, Any]:
    return {
        "jobId": "op-1",
        "collectionId": "C___001",
        "granuleId": "g-1",
        "filename": "g.h5",
        "restoreDestination": target,
        "s3MultipartChunksizeMb": None,
        "sourceKey": key,
        "targetKey": key,
        "sourceBucket": source,
        **changes,
    }


@pytest.fixture
def copy_request(s3: S3Client, bucket: MakeBucket) -> dict[str, Any]:
    source = bucket()
    s3.put_object(Bucket=source, Key="d/g.h5", Body=b"granule")
    return request(source, bucket())


async def test_a_copy_is_made_and_success_is_posted(
    s3: S3Client, world: World, copy_request: dict[str, Any]
) -> None:
    await world.handle(copy_request)
    assert s3.get_object(Bucket=copy_request["restoreDestination"], Key="d/g.h5")["Body"].read() == b"granule"
    [post] = world.read_posts()
    assert list(post) == [
        "jobId",
        "collectionId",
        "granuleId",
        "filename",
        "lastUpdate",
        "statusId",
        "completionTime",
    ]
    assert (post["statusId"], post["completionTime"]) == (4, post["lastUpdate"])
    assert world.count("copy_bytes_total") == 7
    assert world.count("copy_seconds_count", outcome="copied") == 1


async def test_the_log_line_says_what_was_done(world: World, copy_request: dict[str, Any]) -> None:
    await world.handle(copy_request)
    target = f"s3://{copy_request['restoreDestination']}/d/g.h5"
    seconds = world.facts.pop("copy_seconds")
    assert float(seconds) >= 0
    assert world.facts == {
        "target": target,
        "result": "copied",
        "bytes": "7",
        "verified_by": "CRC32",
        "parts": "1",
    }


async def test_a_second_delivery_copies_nothing_and_posts_success_again(
    world: World, copy_request: dict[str, Any], faulty: Faulty
) -> None:
    await world.handle(copy_request)
    assert faulty.seen == ["HeadObject", "CopyObject"]
    faulty.seen.clear()
    await world.handle(copy_request, receive_count=2)
    assert faulty.seen == ["HeadObject", "HeadObject"]
    assert world.posted() == [("op-1", "g.h5", 4)] * 2
    assert world.facts["result"] == "skipped"


async def test_a_second_message_for_the_same_file_writes_nothing(
    world: World, copy_request: dict[str, Any], faulty: Faulty, s3: S3Client
) -> None:
    await world.handle(copy_request)
    place = {"Bucket": copy_request["restoreDestination"], "Key": copy_request["targetKey"]}
    written = s3.head_object(**place)["LastModified"]
    faulty.seen.clear()
    await world.handle(copy_request, id="m-2")
    assert faulty.seen == [
        "HeadObject",
        "CopyObject",
        "HeadObject",
    ]  # the copy was refused: the target exists
    assert world.facts["result"] == "skipped"
    assert s3.head_object(**place)["LastModified"] == written


async def test_updates_of_a_request_without_a_collection_have_none(
    world: World, copy_request: dict[str, Any]
) -> None:
    del copy_request["collectionId"]
    await world.handle(copy_request)
    assert "collectionId" not in world.read_posts()[0]


async def test_the_chunk_size_of_the_message_is_used(
    s3: S3Client, world: World, copy_request: dict[str, Any]
) -> None:
    s3.put_object(Bucket=copy_request["sourceBucket"], Key="d/g.h5", Body=bytes(13 * 1024**2))
    await world.handle({**copy_request, "s3MultipartChunksizeMb": 6})
    assert world.facts["parts"] == "3"


async def test_a_missing_source_is_rejected_and_nothing_is_posted_yet(
    world: World, copy_request: dict[str, Any]
) -> None:
    with pytest.raises(Reject, match=r"/no/such does not exist"):
        await world.handle({**copy_request, "sourceKey": "no/such"})
    assert world.posted() == []
    assert world.facts["result"] == "failed"
    assert world.count("copy_seconds_count", outcome="failed") == 1


async def test_an_archived_source_is_rejected_with_a_readable_reason(
    s3: S3Client, world: World, copy_request: dict[str, Any]
) -> None:
    s3.put_object(
        Bucket=copy_request["sourceBucket"], Key="d/g.h5", Body=b"granule", StorageClass="DEEP_ARCHIVE"
    )
    with pytest.raises(Reject, match="is in DEEP_ARCHIVE and not restored"):
        await world.handle(copy_request)


async def test_a_failure_is_posted_when_it_is_given_up_and_not_before(
    world: World, copy_request: dict[str, Any], faulty: Faulty
) -> None:
    faulty.fail(Fault(operation("CopyObject"), 403, "AccessDenied"))
    with pytest.raises(Refused):
        await world.handle(copy_request)
    assert world.posted() == []
    await world.give_up(copy_request, "Refused: access denied: CopyObject from s3://a/k to s3://b/k")
    [post] = world.read_posts()
    assert post["statusId"] == 3
    assert post["errorMessage"] == "access denied: CopyObject from s3://a/k to s3://b/k"
    assert post["completionTime"] == post["lastUpdate"]


async def test_given_up_after_the_object_has_arrived_is_a_success(
    world: World, copy_request: dict[str, Any]
) -> None:
    await world.handle(copy_request)
    world.posted()
    await world.give_up(
        copy_request, "the daemon had to give it back on the last receive that its queue allows"
    )
    assert world.posted() == [("op-1", "g.h5", 4)]


async def test_a_redriven_message_turns_failed_into_success(
    world: World, copy_request: dict[str, Any]
) -> None:
    await world.give_up({**copy_request, "sourceKey": "no/such"}, "s3://a/no/such does not exist")
    await world.handle(copy_request)
    assert [status for _, _, status in world.posted()] == [3, 4]


async def test_an_outage_of_s3_is_not_charged_to_the_message(
    world: World, copy_request: dict[str, Any], faulty: Faulty
) -> None:
    faulty.fail(Fault(lambda _: True, cut=True))
    with pytest.raises(DependencyDown) as caught:
        await world.handle(copy_request)
    assert caught.value.dependency == "s3"
    # An outage must not block the report of a message that was given up meanwhile either.
    await world.give_up(copy_request, "gone")
    assert world.posted() == [("op-1", "g.h5", 3)]


async def test_a_status_queue_out_of_reach_is_waited_for(
    make_world: Callable[..., World], copy_request: dict[str, Any]
) -> None:
    world = make_world()
    status_reporter = world.handler._status_reporter
    assert status_reporter
    real, status_reporter._publisher._sqs = status_reporter._publisher._sqs, Unreachable()
    with pytest.raises(NotYet, match="the status queue cannot be reached"):
        await world.handle(copy_request)
    status_reporter._publisher._sqs = real
    await world.handle(copy_request)
    assert world.posted() == [("op-1", "g.h5", 4)]


class Unreachable:
    """Refuses every connection."""

    async def send_message(self, **_: Any) -> None:
        raise ConnectionError("refused")
