"""Two daemons on the same queue: each group in order, no update twice, and both receive messages."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import psycopg2
import pytest

from orca_daemon.local.daemon import Daemon
from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.local.ports import free_port
from orca_daemon.producer import OrcaStatus, create_status_for_jobs, update_status_for_files
from orca_daemon.wire.status import Grouping
from tests.conftest import QueuePair
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

GRANULES = 150
REQUESTED = "2026-01-01T00:00:00+00:00"
LEDGER = """
CREATE TABLE orca.ledger (n bigserial, granule text, status int);
CREATE FUNCTION orca.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO orca.ledger (granule, status) VALUES (NEW.granule_id, NEW.status_id); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON orca.recovery_file FOR EACH ROW EXECUTE FUNCTION orca.note();
"""
"""Records every change of a file, in the order of the database."""


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


@contextmanager
def handlers_blocked(url: str) -> Iterator[None]:
    """Every transaction of a handler waits until the end of the block."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE orca.recovery_job IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def received(daemon: Daemon) -> float:
    with urlopen(f"{daemon.url}/metrics", timeout=PATIENCE) as answer:  # noqa: S310  our own address
        text = answer.read().decode()
    found = re.search(r'messages_received_total\{queue="status_update"\} (\S+)', text)
    assert found
    return float(found[1])


def feed(url: str, client: "SQSClient") -> None:
    """Send a recovery for each granule, each in a group of its own: requested, staged, complete."""
    ids = [f"granule-{number}" for number in range(GRANULES)]
    file = {
        "success": True,
        "filename": "f",
        "keyPath": "k",
        "restoreDestination": "b",
        "s3MultipartChunksizeMb": 250,
        "statusId": OrcaStatus.PENDING.value,
        "requestTime": REQUESTED,
        "lastUpdate": REQUESTED,
    }
    granules = [{"job_id": f"job of {each}", "granule_id": each, "collection_id": "c"} for each in ids]
    jobs = [{**each, "archive_destination": "a", "files": [file]} for each in granules]
    create_status_for_jobs(jobs, url, grouping=Grouping.GRANULE, client=client)
    for status in (OrcaStatus.STAGED, OrcaStatus.SUCCESS):
        updates = [
            {**each, "filename": "f", "orca_status": status, "error_message": None} for each in granules
        ]
        update_status_for_files(updates, url, grouping=Grouping.GRANULE, client=client)


@pytest.fixture
def fleet(
    sqs_endpoint: str, database_url: str, tmp_path: Path
) -> Iterator[Callable[[int, str], list[Daemon]]]:
    """Starts daemons on a queue; returns when all are ready."""
    started: list[Daemon] = []

    def start(count: int, queue: str) -> list[Daemon]:
        for number in range(count):
            url = f"http://127.0.0.1:{free_port()}"
            environment = {
                **CREDENTIALS,
                "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": sqs_endpoint,
                "STATUS_UPDATE_QUEUE_URL": queue,
                "DATABASE_URL": database_url,
                "ORCA_ENGINE__WAIT": "1",
                "ORCA_ENGINE__HELD": str(GRANULES),
                "ORCA_DATABASE__LOCK_TIMEOUT": "60",
                "ORCA_HTTP__PORT": url.rpartition(":")[2],
            }
            daemon = Daemon(environment, url, tmp_path / f"log-{number}")
            daemon.launch()
            started.append(daemon)
        for daemon in started:
            daemon.ready()
        return started

    yield start
    for daemon in started:
        daemon.stop()


def test_two_daemons_share_a_queue(
    fleet: Callable[[int, str], list[Daemon]],
    queues: Callable[..., QueuePair],
    sqs: "SQSClient",
    database_url: str,
) -> None:
    rows(database_url, LEDGER)
    queue = queues(fifo=True).url
    daemons = fleet(2, queue)

    with handlers_blocked(database_url):
        feed(queue, sqs)
        # Neither daemon may hold the whole queue in flight, however slow the other is.
        until(lambda: all(received(daemon) > 0 for daemon in daemons))

    done = f"SELECT count(*) FROM orca.recovery_job WHERE status_id = {OrcaStatus.SUCCESS.value}"
    until(lambda: rows(database_url, done) == [(GRANULES,)])
    changes: dict[str, list[int]] = {}
    for granule, status in rows(database_url, "SELECT granule, status FROM orca.ledger ORDER BY n"):
        changes.setdefault(granule, []).append(status)
    # One transaction may apply two steps of a file at once, but no step back and no step twice.
    assert [each for each in changes.values() if each not in ([1, 2, 4], [1, 4])] == []
    assert sum(received(daemon) for daemon in daemons) == 3 * GRANULES
