"""The record of restores: its migration, and what the gauges count."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, create_engine, text

from orca_daemon.db import migrate, restores, schema
from orca_daemon.db.restores import FileName, PlannedJob, RestoreCounts, RestoreRow, RestoreStep
from orca_daemon.wire.restore import Tier

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def row(name: str, step: RestoreStep = RestoreStep.ASK, tier: Tier = Tier.BULK) -> RestoreRow:
    return RestoreRow(
        name=FileName("C", "G", name), archive="b", key=name, size=1, step=step, tier=tier, requested_at=NOW
    )


def test_an_upgrade_adds_the_table_that_is_missing_and_leaves_orcas_record_alone(database_url: str) -> None:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg2://"))
    versions = text("SELECT version_id, is_latest FROM orca.schema_versions ORDER BY 1")
    with engine.begin() as connection:
        before = connection.execute(versions).all()
        connection.execute(text("DROP TABLE orca.orca_daemon_restore"))
        connection.execute(text("DROP INDEX orca.daemon_files_granule"))
    current = migrate.status(database_url)
    assert (current.verdict, current.missing_tables) == (
        schema.SchemaVerdict.SLOW,
        ("orca_daemon_restore",),
    )
    assert migrate.upgrade(database_url) == [
        "create the table orca_daemon_restore, which is the daemon's own",
        "build the index daemon_files_granule, beside running work",
    ]
    assert migrate.upgrade(database_url) == []
    with engine.begin() as connection:
        assert connection.execute(versions).all() == before
        allowed = text("SELECT has_table_privilege('orca_app', 'orca.orca_daemon_restore', 'INSERT, UPDATE')")
        assert connection.scalar(allowed)
    engine.dispose()


def test_the_gauges_count_what_is_open(connection: Connection) -> None:
    add_job(connection, {"asked": 1, "waits": 1, "copied": 4, "expires": 2, "failed": 1})
    rows = [
        row("asked"),
        row("waits", RestoreStep.WAIT, Tier.STANDARD),
        row("copied"),
        row("expires"),
        row("failed"),
    ]
    job = PlannedJob(job="J", request="r", rows=rows)
    restores.plan(connection, job, NOW, None)
    ended = restores.plan(connection, job, NOW, None)
    restores.end(
        connection,
        "J",
        [
            replace(ended[FileName("C", "G", "expires")], expires_at=NOW + timedelta(hours=23), done_at=NOW),
            replace(ended[FileName("C", "G", "copied")], expires_at=NOW + timedelta(hours=23), done_at=NOW),
            replace(ended[FileName("C", "G", "asked")], expires_at=NOW + timedelta(hours=25), done_at=NOW),
            replace(ended[FileName("C", "G", "failed")], error="gone"),
        ],
    )
    assert restores.counts(connection, NOW) == RestoreCounts({"Bulk": 1, "Standard": 1}, NOW.timestamp(), 1)


def test_without_the_table_nothing_is_counted(connection: Connection) -> None:
    connection.execute(text("DROP TABLE orca.orca_daemon_restore"))
    assert restores.counts(connection, NOW) == RestoreCounts({}, None, 0)


def add_job(connection: Connection, files: dict[str, int]) -> None:
    connection.execute(
        text(
            "INSERT INTO orca.recovery_job "
            "(job_id, collection_id, granule_id, archive_destination, status_id, request_time) "
            "VALUES ('J', 'C', 'G', 'b', 1, :now)"
        ),
        {"now": NOW},
    )
    for name, status in files.items():
        connection.execute(
            text(
                "INSERT INTO orca.recovery_file (job_id, collection_id, granule_id, filename, key_path, "
                "restore_destination, status_id, request_time, last_update) "
                "VALUES ('J', 'C', 'G', :name, :name, 'p', :status, :now, :now)"
            ),
            {"name": name, "status": status, "now": NOW},
        )


MANY_JOBS = """
    INSERT INTO orca.recovery_job
            (job_id, collection_id, granule_id, archive_destination, status_id, request_time)
        SELECT 'J' || n, 'C', 'G', 'b', CASE WHEN n <= 3 THEN 1 ELSE 4 END, now()
        FROM generate_series(1, 20000) AS n;
    INSERT INTO orca.recovery_file (job_id, collection_id, granule_id, filename, key_path,
            restore_destination, status_id, request_time, last_update)
        SELECT job_id, 'C', 'G', 'f', 'k', 'p', status_id, now(), now() FROM orca.recovery_job;
    INSERT INTO orca.orca_daemon_restore (job_id, collection_id, granule_id, filename, archive, key_path,
            size_in_bytes, step, tier, requested_at, request)
        SELECT job_id, 'C', 'G', 'f', 'b', 'k', 1, 'ask', 'Bulk', now(), 'r' FROM orca.recovery_job;
    ANALYZE orca.recovery_job, orca.recovery_file, orca.orca_daemon_restore
"""


def test_the_gauges_cost_what_the_open_jobs_cost(connection: Connection) -> None:
    connection.execute(text(MANY_JOBS))
    for block in ("in_progress", "expiring"):
        statement = restores._SQL[block].text
        values = {"now": NOW} if ":now" in statement else {}
        plan = "\n".join(connection.scalars(text(f"EXPLAIN {statement}"), values))
        assert "daemon_recovery_job_open" in plan
        assert "Seq Scan" not in plan
