"""Status updates of one granule in concurrent transactions: no roll-up is lost, and no two deadlock."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from orca_daemon.db.database import Database
from orca_daemon.engine.errors import NotYet, Reject
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.queues.status_update import PATIENCE, StatusUpdate
from orca_daemon.queues.status_update.store import apply
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from orca_daemon.wire.status import NewFile, NewJob, RecoveryStatus, StatusMessage, UpdateFile

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BLOCKED = text("SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(DatabaseSettings(url=database_url, pool_size=4))
    yield database
    database.close()


def new_job(*names: str, granule: str = "g") -> NewJob:
    files = tuple(
        NewFile(
            filename=name, key_path=name, restore_destination="d", s3_multipart_chunksize_mb=None,
            status=RecoveryStatus.PENDING, request_time=NOON, last_update=NOON,
        )
        for name in names
    )  # fmt: skip
    return NewJob(
        job_id="j",
        collection_id="c",
        granule_id=granule,
        request_time=NOON,
        archive_destination="a",
        files=files,
    )


def success(name: str, granule: str = "g", **more: Any) -> UpdateFile:
    return UpdateFile(
        job_id="j", collection_id="c", granule_id=granule, filename=name, last_update=NOON,
        status=RecoveryStatus.SUCCESS, completion_time=NOON, **more,
    )  # fmt: skip


def deliver(
    message: StatusMessage, group: str, facts: dict[str, str] | None = None, *, held: float = 0.0
) -> Delivery[StatusMessage]:
    envelope = Envelope(id="m", receipt="r", body="", group=group)
    return Delivery(message, envelope, facts={} if facts is None else facts, held_seconds=held)


def statuses(connection: Connection) -> list[int]:
    return list(connection.scalars(text("SELECT status_id FROM orca.recovery_job ORDER BY granule_id")))


async def test_the_second_of_two_transactions_sees_the_file_of_the_first(database: Database) -> None:
    await database.transact(apply, [new_job("a", "b")], NOON)
    written, go_on = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> None:
        apply(connection, [success("a")], NOON)
        written.set()
        assert go_on.wait(10)

    def wait_for_the_lock(connection: Connection) -> None:
        assert written.wait(10)
        while not connection.scalar(BLOCKED):
            connection.rollback()

    first = asyncio.create_task(database.transact(slowly))
    await database.transact(lambda _: written.wait(10))
    second = asyncio.create_task(database.transact(apply, [success("b")], NOON))
    await database.transact(wait_for_the_lock)
    go_on.set()
    await asyncio.gather(first, second)
    assert await database.transact(statuses) == [4]


async def test_many_runs_over_the_same_granules_in_every_order_all_count(database: Database) -> None:
    granules, names = [f"g{number}" for number in range(6)], [f"f{number}" for number in range(8)]
    await database.transact(apply, [new_job(*names, granule=granule) for granule in granules], NOON)
    runs: list[list[StatusMessage]] = []
    for turn, name in enumerate(names):
        order = granules[turn % 6 :] + granules[: turn % 6]
        runs.append([success(name, granule) for granule in (order if turn % 2 else reversed(order))])
    await asyncio.gather(*(database.transact(apply, run, NOON) for run in runs))
    assert await database.transact(statuses) == [4] * 6


async def test_the_same_jobs_opened_at_once_are_opened_once(database: Database) -> None:
    jobs: list[StatusMessage] = [new_job("a", "b", granule=f"g{number}") for number in range(10)]
    runs = [jobs, list(reversed(jobs))] * 4
    outcomes = await asyncio.gather(*(database.transact(apply, run, NOON) for run in runs))
    assert sum(len(outcome.created) for outcome in outcomes) == 20
    assert await database.transact(statuses) == [1] * 10


class TestUnknownFile:
    async def test_in_orcas_group_is_rejected_at_once(self, database: Database) -> None:
        with pytest.raises(Reject, match="no new_job"):
            await StatusUpdate(database)([deliver(success("a"), "request_files")])

    async def test_in_another_group_is_waited_for_and_then_rejected(self, database: Database) -> None:
        handle, facts = StatusUpdate(database), dict[str, str]()
        with pytest.raises(NotYet):
            await handle([deliver(success("a"), "granule", facts, held=100)])
        with pytest.raises(NotYet):
            await handle([deliver(success("a"), "granule", facts, held=100 + PATIENCE * 0.9)])
        with pytest.raises(Reject, match="no new_job"):
            await handle([deliver(success("a"), "granule", facts, held=100 + PATIENCE)])

    async def test_is_waited_for_as_long_whatever_is_done_to_the_clock(self, database: Database) -> None:
        now = NOON
        handle, facts = StatusUpdate(database, clock=lambda: now), dict[str, str]()
        with pytest.raises(NotYet):
            await handle([deliver(success("a"), "granule", facts)])
        now = NOON + timedelta(days=400)
        with pytest.raises(NotYet):
            await handle([deliver(success("a"), "granule", facts)])

    async def test_is_written_when_its_job_comes(self, database: Database) -> None:
        handle = StatusUpdate(database)
        with pytest.raises(NotYet):
            await handle([deliver(success("a"), "granule")])
        await handle([deliver(new_job("a"), "other")])
        await handle([deliver(success("a"), "granule")])
        assert await database.transact(statuses) == [4]

    async def test_fails_the_run_and_nothing_of_it_is_stored(self, database: Database) -> None:
        with pytest.raises(Reject):
            await StatusUpdate(database)(
                [deliver(new_job("a"), "request_files"), deliver(success("b"), "request_files")]
            )
        assert await database.transact(statuses) == []


async def test_an_ambiguous_update_is_rejected_in_every_group(database: Database) -> None:
    other = new_job("a").model_copy(update={"collection_id": "d"})
    await database.transact(apply, [new_job("a"), other], NOON)
    unnamed = success("a").model_copy(update={"collection_id": None})
    with pytest.raises(Reject, match="several collections"):
        await StatusUpdate(database)([deliver(unnamed, "granule")])


async def test_stale_updates_are_counted_and_marked(database: Database) -> None:
    counted: list[int] = []
    early = success("a").model_copy(update={"last_update": NOON.replace(hour=11)})
    deliveries = [deliver(message, "g") for message in (new_job("a"), success("a"), early)]
    await StatusUpdate(database, count_stale=counted.append)(deliveries)
    assert counted == [1]
    assert [delivery.facts for delivery in deliveries] == [{}, {}, {"stale": "true"}]


async def test_a_connection_that_lost_its_prepared_statements_is_replaced(database: Database) -> None:
    await database.transact(apply, [new_job("a")], NOON)
    await database.transact(lambda connection: connection.execute(text("DEALLOCATE ALL")))

    outcome = await database.transact(apply, [success("a")], NOON)

    assert [progress.status for progress in outcome.updated.values()] == [RecoveryStatus.SUCCESS]
