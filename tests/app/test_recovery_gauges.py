"""The gauges of recoveries: what they count, and that their queries use indexes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, create_engine, text

from orca_daemon.db import recoveries
from orca_daemon.ops.metrics.external import STATUSES
from tests.app.conftest import Running

HOUR, DAY = "1 hour", "3 days"


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def add(connection: Connection, job: str, status: int, age: str, *files: int) -> None:
    connection.execute(
        text(
            "INSERT INTO orca.recovery_job "
            "(job_id, collection_id, granule_id, archive_destination, status_id, request_time) "
            "VALUES (:job, 'c', 'g', 'b', :status, now() - CAST(:age AS interval))"
        ),
        {"job": job, "status": status, "age": age},
    )
    for number, each in enumerate(files):
        connection.execute(
            text(
                "INSERT INTO orca.recovery_file (job_id, collection_id, granule_id, filename, key_path, "
                "restore_destination, status_id, request_time, last_update) "
                "VALUES (:job, 'c', 'g', :name, 'k', 'd', :status, now(), now())"
            ),
            {"job": job, "name": f"f{number}", "status": each},
        )


def test_open_and_recent_recoveries_are_counted_under_the_labels_of_the_gauge(database_url: str) -> None:
    with connected(database_url) as connection:
        add(connection, "old and open", 1, DAY, 1, 2, 4)
        add(connection, "old and done", 4, DAY, 4, 4)
        add(connection, "recent and failed", 3, HOUR, 3)

        found = recoveries.overview(connection)

    assert found.files == {"pending": 1, "staged": 1, "success": 1, "error": 1}
    assert set(found.files) == set(STATUSES)
    assert found.oldest_open is not None


def test_without_open_recoveries_there_is_no_oldest_time(database_url: str) -> None:
    with connected(database_url) as connection:
        assert recoveries.overview(connection) == recoveries.Overview({}, None)


@pytest.mark.parametrize("block", ["files", "oldest_open"])
def test_the_queries_use_indexes(database_url: str, block: str) -> None:
    statement = recoveries._SQL[block].text
    with connected(database_url) as connection:
        # The tables of a test are so small that the planner would prefer sequential scans.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(connection.scalars(text(f"EXPLAIN {statement}")))

    assert "daemon_recovery_job_open" in plan
    assert "Seq Scan on recovery_job" not in plan
    assert "Seq Scan on recovery_file" not in plan


@pytest.fixture
def locked(database_url: str) -> Iterator[Connection]:
    """Blocks every query of recoveries until it is rolled back."""
    with connected(database_url) as connection:
        connection.execute(text("LOCK TABLE orca.recovery_job IN ACCESS EXCLUSIVE MODE"))
        yield connection


def test_the_time_of_the_last_read_is_set_before_the_first_read(locked: Connection, running: Running) -> None:
    assert running.value("recovery_files_read_timestamp_seconds") > 0
    locked.rollback()
