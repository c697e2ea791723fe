"""The daemon stores what the library sends: with a real queue, a real engine and a real database."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from orca_daemon import producer
from orca_daemon.app import bindings
from orca_daemon.app.checkup.settings import handlers
from orca_daemon.aws.clients import connect
from orca_daemon.db.database import Database
from orca_daemon.engine.engine import Engine
from orca_daemon.engine.events import Event, Settled
from orca_daemon.ops.metrics import Metrics
from orca_daemon.producer import Grouping, OrcaStatus
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings
from tests.producer.conftest import Queue

SECONDS = 60
"""Time limit of a test, which takes one or two seconds."""
MOMENT = "2026-11-20T00:13:35.439458+00:00"
Row = tuple[str | None, ...]


def file(name: str) -> dict[str, Any]:
    return {
        "filename": name,
        "keyPath": f"d/{name}",
        "restoreDestination": "demo-protected",
        "s3MultipartChunksizeMb": 250,
        "statusId": OrcaStatus.PENDING.value,
        "requestTime": MOMENT,
        "lastUpdate": MOMENT,
    }


def send(queue: str, grouping: Grouping) -> int:
    """Send three granules of two files each, with all their updates; return the number of messages."""
    granules = ("g1", "g2", "g3")
    for granule in granules:
        producer.create_status_for_job(
            "j", granule, "a", [file("1"), file("2")], queue, collection_id="c", grouping=grouping
        )
    staged = [
        {
            "job_id": "j",
            "collection_id": "c",
            "granule_id": granule,
            "filename": name,
            "orca_status": OrcaStatus.STAGED,
        }
        for name in ("1", "2")
        for granule in granules
    ]
    assert all(one.message_id for one in producer.update_status_for_files(staged, queue, grouping=grouping))
    ends = [
        ("g1", "1", OrcaStatus.SUCCESS),
        ("g1", "2", OrcaStatus.SUCCESS),
        ("g2", "1", OrcaStatus.SUCCESS),
        ("g2", "2", OrcaStatus.FAILED),
        ("g3", "1", OrcaStatus.FAILED),
    ]
    for granule, name, status in ends:
        error = "gone" if status is OrcaStatus.FAILED else None
        producer.update_status_for_file(
            "j", granule, name, status, error, queue, collection_id="c", grouping=grouping
        )
    return len(granules) + len(staged) + len(ends)


async def consume(settings: Settings, send_all: Callable[[], int]) -> list[Settled]:
    """Run the daemon's engine until it has settled all that was sent."""
    settled: list[Settled] = []
    changed = asyncio.Event()

    def observe(event: Event) -> None:
        if isinstance(event, Settled):
            settled.append(event)
            changed.set()

    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(connect(settings))
        database = Database(settings.database)
        stack.callback(database.close)
        services = Services(
            settings=settings,
            clients=clients,
            database=database,
            metrics=Metrics(handlers(settings)),
        )
        bound = await bindings.bind(services)
        engine = Engine(bound, probes=bindings.probes(services, bound), drain_seconds=10, observe=observe)
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
            tasks.create_task(engine.run())
            sent = await asyncio.to_thread(send_all)
            while len(settled) < sent:
                changed.clear()
                await changed.wait()
            engine.stop()
    return settled


@pytest.mark.parametrize("grouping", Grouping)
async def test_what_the_library_sends_the_daemon_stores(
    fifo: Queue, database_url: str, grouping: Grouping
) -> None:
    settings = Settings.model_validate(
        {
            "aws": {"region": "us-west-2"},
            "database": {"url": database_url},
            "queues": {"status_update": {"url": fifo.url, "grouping": grouping}},
            "engine": {"wait": 1},
        }
    )
    settled = await consume(settings, lambda: send(fifo.url, grouping))
    assert {event.outcome for event in settled} == {"deleted"}
    assert len({event.envelope.group for event in settled}) == (1 if grouping is Grouping.QUEUE else 3)
    jobs, files = stored(database_url)
    assert jobs == [("g1", "success"), ("g2", "error"), ("g3", "staged")]
    assert files == [
        ("c", "g1", "1", "success", None),
        ("c", "g1", "2", "success", None),
        ("c", "g2", "1", "success", None),
        ("c", "g2", "2", "error", "gone"),
        ("c", "g3", "1", "error", "gone"),
        ("c", "g3", "2", "staged", None),
    ]


def stored(url: str) -> tuple[list[Row], list[Row]]:
    """Granules and files in the tables."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.connect() as connection:
        jobs = connection.execute(
            text(
                "SELECT granule_id, value FROM orca.recovery_job"
                " JOIN orca.recovery_status ON id = status_id ORDER BY 1"
            )
        ).all()
        files = connection.execute(
            text(
                "SELECT collection_id, granule_id, filename, value, error_message FROM orca.recovery_file"
                " JOIN orca.recovery_status ON id = status_id ORDER BY 1, 2, 3"
            )
        ).all()
    engine.dispose()
    return [tuple(row) for row in jobs], [tuple(row) for row in files]
