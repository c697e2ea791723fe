"""A database with recoveries, for the commands that read and recover them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from orca_daemon.local.moto import REGION
from orca_daemon.wire.status import RecoveryStatus

NOW = datetime.now(UTC)


@pytest.fixture
def connection(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection to the database of the commands; it commits each statement."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    with connected(database_url) as connection:
        yield connection


@pytest.fixture
def destinations(s3: Any) -> None:
    """The buckets that recoveries and restores of these tests name."""
    place = {"LocationConstraint": REGION}
    for name in ("demo-protected", "protected", "public"):
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection that commits each statement."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection
    engine.dispose()


def insert_recovery(
    connection: Connection,
    job: str,
    *statuses: RecoveryStatus,
    granule: str = "g",
    collection: str = "c",
    archive: str = "a",
    age: float = 0,
    error: str | None = None,
    destination: str = "demo-protected",
) -> None:
    """Insert a granule of a job with a file for each status; all times are `age` hours ago."""
    time = NOW - timedelta(hours=age)
    row = {"job": job, "granule": granule, "collection": collection, "archive": archive, "time": time}
    status = min(statuses)
    connection.execute(
        text(
            "INSERT INTO orca.recovery_job (job_id, collection_id, granule_id, archive_destination,"
            " status_id, request_time, completion_time) VALUES (:job, :collection, :granule, :archive,"
            " :status, :time, CASE WHEN :status > 2 THEN CAST(:time AS timestamptz) END)"
        ),
        row | {"status": status.value},
    )
    for number, each in enumerate(statuses):
        connection.execute(
            text(
                "INSERT INTO orca.recovery_file (job_id, collection_id, granule_id, filename, key_path,"
                " restore_destination, status_id, error_message, request_time, last_update) VALUES (:job,"
                " :collection, :granule, :name, 'd/' || :name, :destination, :status, :error, :time,"
                " :time)"
            ),
            row | {"destination": destination, "name": f"{number}.h5", "status": each.value, "error": error},
        )
