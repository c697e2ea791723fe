"""A message that is given up is reported as FAILED, whatever it contains."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs
from types_boto3_s3 import S3Client

from orca_daemon.engine.errors import Reject
from orca_daemon.engine.message import Envelope
from orca_daemon.settings import Settings
from orca_daemon.wire import recovery
from orca_daemon.wire.file_reference import LARGEST_ROW_KEY
from orca_daemon.wire.outgoing import LARGEST_MESSAGE
from orca_daemon.wire.wire_model import MalformedError
from tests.queues.recovery.conftest import Job, World
from tests.queues.recovery.daemon import Daemon
from tests.queues.recovery.test_daemon import Queues, Status, queues, settings
from tests.queues.recovery.test_events import KEY, event, put_restored, record
from tests.queues.recovery.test_requests import request

__all__ = ["queues", "settings"]
MakeBucket = Callable[[], str]


async def refused(world: World, body: object) -> str:
    """Give up a message that cannot be decoded, as the engine does; its reason."""
    text = json.dumps(body)
    with pytest.raises(MalformedError) as caught:
        recovery.decode(text)
    await world.failure_reporter(None, Envelope(id="m", receipt="r", body=text), str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"targetKey": "k" * 1025},
        {"sourceBucket": "no bucket"},
        {"s3MultipartChunksizeMb": "big"},
        {"sourceKey": None},
    ],
    ids=["key", "bucket", "size", "nothing"],
)
async def test_the_file_of_a_request_that_is_refused_is_posted_as_failed(
    world: World, changes: dict[str, Any]
) -> None:
    reason = await refused(world, request("a", "b", **changes))
    [post] = world.read_posts()
    assert (post["jobId"], post["filename"], post["statusId"]) == ("op-1", "g.h5", 3)
    assert post["errorMessage"] == reason


@pytest.mark.parametrize(
    "body",
    [
        request("a", "b", jobId="j" * 9000),
        request("a", "b", granuleId="\0"),
        request("a", "b", filename="\ud800"),
        {"targetKey": "k"},
        {"Records": [{}]} | request("a", "b"),
        [],
    ],
    ids=["long", "NUL", "half a pair", "nobody", "event", "array"],
)
async def test_no_status_is_posted_for_a_message_that_names_no_file(world: World, body: object) -> None:
    await refused(world, body)
    assert world.posted() == []


async def test_the_storable_part_of_a_reason_is_posted(world: World) -> None:
    await world.give_up(request("a", "b", sourceKey="no/such"), "is\0not\ud800there " + "\U0001f680" * 2000)
    [post] = world.read_posts()
    assert post["errorMessage"].startswith("is\ufffdnot\ufffdthere \U0001f680")
    assert len(json.dumps(post)) < LARGEST_MESSAGE


async def test_the_longest_ids_leave_room_for_the_reason(world: World) -> None:
    longest = "\x01" * (LARGEST_ROW_KEY - len("C___001g-1g.h5"))
    await world.give_up(request("a", "b", sourceKey="no/such", jobId=longest), "gone")
    [post] = world.read_posts()
    assert (post["jobId"], post["errorMessage"]) == (longest, "gone")


async def test_a_row_whose_progress_cannot_be_posted_is_rejected_and_keeps_nothing(
    s3: S3Client, world: World, bucket: MakeBucket
) -> None:
    # The index stores it, as it can be compressed; but no reader of the status queue would accept it.
    archive, there = bucket(), bucket()
    put_restored(s3, archive, KEY)
    world.add(Job(archive, KEY, there, job="j" * 9000), Job(archive, KEY, there, job="op-2"))
    with pytest.raises(Reject, match=r"its progress cannot be posted: .* is too long"):
        await world.handle(event(record(archive)))
    with capture_logs() as logs:
        await world.give_up(event(record(archive)), "rejected")
    assert [line["event"] for line in logs] == ["recovery.not_posted"]
    assert {job for job, _, _ in world.posted()} == {"op-2"}


async def test_an_event_without_records_is_acknowledged(world: World) -> None:
    await world.handle({"Records": []})
    assert world.count("restore_events_total", outcome="empty") == 1
    assert world.facts == {"outcome": "empty"}


async def test_a_request_that_no_update_can_describe_is_dead_lettered_at_once(
    queues: Queues, settings: Settings, status_queue: Status
) -> None:
    async with Daemon(settings) as daemon:
        queues.send(request("a", "b", jobId="é" * 20_000))
        queues.send(request("a", "b", targetKey="é" * 1_000))
        ends = await daemon.settle(2)
    assert {(end.outcome, end.attempts) for end in ends} == {("dead_lettered", 0)}
    [post] = status_queue[1]()
    assert post["errorMessage"] == "not a valid copy request: targetKey has 2,000 bytes; S3 takes 1,024"


async def test_the_start_says_that_a_message_may_name_any_bucket(settings: Settings) -> None:
    with capture_logs() as logs:
        async with Daemon(settings):
            pass
    [warning] = [line for line in logs if line["event"] == "copies.any_bucket"]
    assert warning["unset"] == ["copies.sources", "copies.targets"]
    copies = settings.copies.model_copy(update={"sources": ("a",), "targets": ("b",)})
    with capture_logs() as logs:
        async with Daemon(settings.model_copy(update={"copies": copies})):
            pass
    assert [line for line in logs if line["event"] == "copies.any_bucket"] == []
