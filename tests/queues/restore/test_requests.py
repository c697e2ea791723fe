"""Restore requests, with real S3, SQS and Postgres: what is posted, asked and recorded."""

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from orca_daemon.engine.errors import DependencyDown, NotYet, Refused
from orca_daemon.queues.restore import attempt
from orca_daemon.queues.restore.posts import job_messages
from orca_daemon.wire import restore as wire
from orca_daemon.wire.outgoing import LARGEST_MESSAGE
from orca_daemon.wire.restore_outcome import FileOutcome
from orca_daemon.wire.status import Grouping, RecoveryStatus, decode
from tests.aws.s3copy.faulty import Fault, operation
from tests.queues.restore.conftest import MakeWorld, World, granule, request

PENDING, FAILED = 1, 3


def of_key(key: str, name: str = "RestoreObject") -> Callable[[web.Request], bool]:
    return lambda asked: operation(name)(asked) and asked.path.endswith(key)


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    return await make_world()


async def test_an_archived_object_is_asked_for_after_its_job_is_posted(world: World) -> None:
    world.put("a/b.h5")
    await world.handle(request(granule("a/b.h5")))
    [job] = world.read_status()
    assert job["files"][0] | {"requestTime": "", "lastUpdate": ""} == {
        "success": True,
        "filename": "b.h5",
        "keyPath": "a/b.h5",
        "restoreDestination": "protected",
        "s3MultipartChunksizeMb": None,
        "statusId": PENDING,
        "requestTime": "",
        "lastUpdate": "",
    }
    assert (job["jobId"], job["collectionId"], job["granuleId"]) == ("op-1", "C___001", "g-1")
    assert job["archiveDestination"] == world.archive
    assert world.header("a/b.h5") == 'ongoing-request="true"'
    assert world.rows("filename, step, tier, size_in_bytes") == [("b.h5", "ask", "Standard", 4)]
    assert world.announced() == []
    assert world.facts == {"job_id": "op-1", "files_ask": "1"}


async def test_the_same_request_twice_asks_nothing_twice(world: World) -> None:
    world.put("a", "b")
    for _ in range(2):
        await world.handle(request(granule("a", "b")))
    assert world.asked() == 2
    assert world.posted() == [("g-1", [("a", PENDING), ("b", PENDING)])]


async def test_nothing_is_asked_of_an_object_whose_restore_runs(world: World) -> None:
    world.put("a")
    world.restore("a")
    await world.handle(request(granule("a"), defaultRecoveryTypeOverride="Expedited"))
    assert (world.asked(), world.posted()) == (0, [("g-1", [("a", PENDING)])])
    assert world.rows() == [("a", "wait", None)]


async def test_a_restore_that_began_between_head_and_request_is_under_way_and_no_failure(
    world: World,
) -> None:
    world.put("a")
    world.proxy.fail(Fault(operation("RestoreObject"), before=lambda: world.restore("a"), times=1))
    await world.handle(request(granule("a")))
    assert (world.asked(), world.rows()) == (1, [("a", "wait", None)])
    assert world.posted() == [("g-1", [("a", PENDING)])]


@pytest.mark.parametrize("storage_class", ["STANDARD", "GLACIER_IR"])
async def test_a_readable_object_is_copied_at_once(world: World, storage_class: str) -> None:
    world.put("a", storage_class=storage_class)
    await world.handle(request(granule("a")))
    assert (world.asked(), world.announced()) == (0, ["a"])
    assert world.posted() == [("g-1", [("a", PENDING)])]
    assert world.count("copy") == 1


async def test_a_restored_object_is_copied_at_once_and_kept_longer_only_if_it_expires_soon(
    make_world: MakeWorld,
) -> None:
    world: World = await make_world(at_once=True)
    world.put("soon ü", "late")
    world.restore("soon ü", days=1)
    world.restore("late", days=9)
    before = {key: world.header(key) for key in ("soon ü", "late")}
    # A copy that was asked for today for one day expires at the midnight that ends tomorrow.
    world.parts = replace(world.parts, clock=lambda: datetime.now(UTC).replace(hour=23) + timedelta(days=1))
    await world.handle(request(granule("soon ü", "late")))
    assert world.asked() == 1
    assert world.header("soon ü") != before["soon ü"]
    assert world.header("late") == before["late"]
    assert world.announced() == ["late", "soon ü"]
    assert world.rows() == [("late", "copy", None), ("soon ü", "extend", None)]


async def test_a_200_means_that_it_is_restored_and_copied_at_once(make_world: MakeWorld) -> None:
    world: World = await make_world(at_once=True)
    world.put("a")
    world.proxy.fail(Fault(operation("RestoreObject"), before=lambda: world.restore("a"), times=1))
    await world.handle(request(granule("a")))
    assert (world.announced(), world.rows()) == (["a"], [("a", "copy", None)])


async def test_a_403_because_it_is_not_archived_any_more_means_that_it_is_copied_at_once(
    world: World,
) -> None:
    world.put("a")
    thawed = lambda: world.put("a", storage_class="STANDARD")  # noqa: E731
    world.proxy.fail(Fault(operation("RestoreObject"), before=thawed, times=1))
    await world.handle(request(granule("a")))
    assert (world.announced(), world.rows()) == (["a"], [("a", "copy", None)])


async def test_an_object_that_does_not_exist_fails_alone(world: World) -> None:
    world.put("here")
    await world.handle(request(granule("here", "gone"), granule("gone", id_="g-2")))
    jobs = {job["granuleId"]: job["files"] for job in world.read_status()}
    assert [file["statusId"] for file in jobs["g-1"]] == [PENDING, FAILED]
    assert jobs["g-2"][0]["errorMessage"] == f"'gone' does not exist in '{world.archive}' bucket"
    assert jobs["g-2"][0]["completionTime"] == jobs["g-2"][0]["lastUpdate"]
    assert world.asked() == 1


async def test_an_object_that_vanishes_between_head_and_restore_fails(world: World) -> None:
    world.put("a", "b")
    gone = lambda: world.s3.delete_object(Bucket=world.archive, Key="a")  # noqa: E731
    world.proxy.fail(Fault(of_key("a"), before=gone, times=1))
    await world.handle(request(granule("a", "b")))
    assert world.posted() == [("g-1", [("a", PENDING), ("b", PENDING)]), ("g-1", [("a", FAILED)])]
    assert world.rows("filename, step") == [("a", "fail"), ("b", "ask")]


async def test_deep_archive_with_expedited_fails_with_key_bucket_class_and_tier(world: World) -> None:
    world.put("deep", storage_class="DEEP_ARCHIVE")
    world.put("flexible")
    await world.handle(request(granule("deep", "flexible"), defaultRecoveryTypeOverride="Expedited"))
    [job] = world.read_status()
    message = job["files"][0]["errorMessage"]
    assert all(part in message for part in ("'deep'", world.archive, "DEEP_ARCHIVE", "Expedited"))
    assert [world.asked(), world.header("flexible")] == [1, 'ongoing-request="true"']


async def test_every_granule_is_tried_though_one_fails(world: World) -> None:
    keys = [f"k{number}" for number in range(20)]
    world.put(*keys)
    world.proxy.fail(Fault(of_key("k0"), status=400, code="InvalidRequest"))
    body = request(*(granule(key, id_=key) for key in keys))
    with pytest.raises(Exception, match="InvalidRequest"):
        await world.handle(body)
    assert [world.header(key) for key in keys] == ["", *['ongoing-request="true"'] * 19]
    world.proxy.faults.clear()
    await world.handle(body)
    assert (world.asked(), world.header("k0")) == (21, 'ongoing-request="true"')


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "SlowDown"), (503, "GlacierExpeditedRetrievalNotAvailable")],
    ids=["throttled", "no capacity"],
)
async def test_if_s3_has_no_room_now_the_message_waits_and_is_not_charged(
    world: World, status: int, code: str
) -> None:
    world.put("a", "b")
    world.proxy.fail(Fault(of_key("a"), status=status, code=code, times=1))
    body = request(granule("a", "b"), defaultRecoveryTypeOverride="Expedited")
    with pytest.raises(NotYet):
        await world.handle(body)
    assert (world.header("a"), world.header("b")) == ("", 'ongoing-request="true"')
    await world.handle(body)
    assert (world.header("a"), world.asked()) == ('ongoing-request="true"', 3)


async def test_without_capacity_for_expedited_a_setting_asks_for_standard(make_world: MakeWorld) -> None:
    world: World = await make_world(expedited_fallback=True)
    world.put("a")
    world.proxy.fail(
        Fault(operation("RestoreObject"), status=503, code="GlacierExpeditedRetrievalNotAvailable", times=1)
    )
    await world.handle(request(granule("a"), defaultRecoveryTypeOverride="Expedited"))
    assert world.rows("filename, step, tier") == [("a", "ask", "Standard")]


async def test_a_denied_restore_is_refused_at_the_place_where_the_archive_restores(world: World) -> None:
    world.put("a")
    world.proxy.fail(Fault(operation("RestoreObject"), status=403, code="AccessDenied"))
    with pytest.raises(Refused) as caught:
        await world.handle(request(granule("a")))
    assert caught.value.place == f"restore {world.archive}"


async def test_if_s3_does_not_answer_nothing_is_posted_and_the_place_is_down(world: World) -> None:
    world.put("a")
    world.proxy.fail(Fault(operation("HeadObject"), status=500))
    with pytest.raises(DependencyDown) as caught:
        await world.handle(request(granule("a")))
    assert caught.value.place == f"read {world.archive}"
    assert (world.read_status(), world.rows()) == ([], [])


async def test_an_object_that_s3_does_not_describe_for_a_minute_stops_no_other(world: World) -> None:
    world.put("a", "b")
    world.proxy.fail(Fault(of_key("a", "HeadObject"), status=500, times=4))
    body = request(granule("a"), granule("b", id_="g-2"))
    for held, asked in ((0.0, 0), (61.0, 1)):
        with pytest.raises(DependencyDown):
            await world.handle(body, held=held)
        assert world.asked() == asked
    await world.handle(body, held=62.0)
    assert world.rows() == [("a", "ask", None), ("b", "ask", None)]


async def test_an_object_that_may_not_be_read_fails_if_others_may(world: World) -> None:
    world.put("a", "b")
    denied = lambda asked: asked.path.endswith("/a")  # noqa: E731
    world.proxy.fail(Fault(denied, status=403, code="AccessDenied"))
    await world.handle(request(granule("a", "b")))
    assert [step for _, step, _ in world.rows()] == ["fail", "ask"]


async def test_a_granule_without_files_gets_its_job(world: World) -> None:
    await world.handle(request(granule()))
    assert world.posted() == [("g-1", [])]


async def test_the_job_of_a_request_without_an_id_follows_from_the_message(world: World) -> None:
    world.put("a")
    body = request(granule("a"), job=None)
    await world.handle(body, id_="one")
    await world.handle(body, id_="one")
    await world.handle(body, id_="two", OrcaDaemonEvidence=json.dumps({"message_id": "one"}))
    assert (world.asked(), len(world.rows("DISTINCT job_id, granule_id, filename"))) == (1, 1)
    await world.handle(body, id_="three")
    assert (world.asked(), len(world.rows("DISTINCT job_id, granule_id, filename"))) == (1, 2)


async def test_days_tier_and_part_size_of_the_request_win_over_the_settings(make_world: MakeWorld) -> None:
    world: World = await make_world(at_once=True, days=5, tier="Bulk")
    world.put("a", "b")
    config: dict[str, Any] = {"defaultRecoveryTypeOverride": "Expedited", "expireDays": 2}
    config["s3MultipartChunksizeMb"] = 64
    await world.handle(request(granule("a"), **config))
    await world.handle(request(granule("b"), job="op-2"))
    assert world.rows("filename, tier") == [("a", "Expedited"), ("b", "Bulk")]
    assert [job["files"][0]["s3MultipartChunksizeMb"] for job in world.read_status()] == [64, None]
    assert world.header("a") != world.header("b")


async def test_requests_are_spread_over_time(make_world: MakeWorld) -> None:
    world: World = await make_world(per_second=20)
    keys = [f"k{number}" for number in range(10)]
    world.put(*keys)
    began = asyncio.get_running_loop().time()
    await world.handle(request(*(granule(key, id_=key) for key in keys)))
    assert asyncio.get_running_loop().time() - began >= 9 / 20


async def test_a_request_waits_until_the_table_exists_and_says_so(world: World) -> None:
    world.put("a")
    with closing(psycopg2.connect(world.database_url)) as connection, connection, connection.cursor() as at:
        at.execute("DROP TABLE orca.orca_daemon_restore")
    with pytest.raises(NotYet, match="run 'orca-daemon db upgrade'"):
        await world.handle(request(granule("a")))
    assert (world.asked(), world.read_status()) == (0, [])


def test_a_job_with_more_files_than_a_message_takes_is_posted_in_parts() -> None:
    large = wire.RestoreGranule.model_validate(
        granule(*(f"{number:04}/{'k' * 900}{number}" for number in range(1_000)))
    )
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    files = [
        FileOutcome(
            file=file,
            status=RecoveryStatus.PENDING,
            chunk_mib=None,
            request_time=moment,
            last_update=moment,
        )
        for file in large.files
    ]
    messages = list(job_messages("job", large, "archive", moment, files, Grouping.QUEUE))
    decoded = [decode(each.body, each.attributes) for each in messages]
    assert max(each.size for each in messages) <= LARGEST_MESSAGE
    assert len(messages) == 8
    names = [file.filename for job in decoded for file in job.files]  # type: ignore[union-attr]
    assert names == [file.filename for file in large.files]


async def test_a_large_request_logs_how_far_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "PROGRESS_EVERY", 0.0)
    world.put("a", "b")
    with capture_logs() as logged:
        await world.handle(request(granule("a"), granule("b", id_="g-2")))
    steps = [
        (line["job_id"], line["files"], line["files_seen"], line["files_done"])
        for line in logged
        if line["event"] == "restore.progress"
    ]
    assert steps == [("op-1", 2, 1, 0), ("op-1", 2, 2, 0), ("op-1", 2, 2, 1), ("op-1", 2, 2, 2)]


async def test_the_expiry_of_a_restored_copy_is_recorded(make_world: MakeWorld) -> None:
    world = await make_world(at_once=True)
    world.put("a")
    world.restore("a", days=9)
    await world.handle(request(granule("a")))
    [(expires,)] = world.rows("expires_at")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert expires == midnight + timedelta(days=10)
