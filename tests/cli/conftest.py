"""Recoveries as the tables hold them, for the commands that look at them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, create_engine, text

from orca_daemon.wire.status import RecoveryStatus

NOW = datetime.now(UTC)


@pytest.fixture
def tables(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """The database that commands use, each statement of the test committed at once."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection
    engine.dispose()


def recovery(
    tables: Connection,
    job: str,
    *statuses: RecoveryStatus,
    granule: str = "g",
    collection: str = "c",
    archive: str = "a",
    age: float = 0,
    error: str | None = None,
    destination: str = "demo-protected",
) -> None:
    """A granule of a job requested so many hours ago, with a file for each status, not moved since."""
    moment = NOW - timedelta(hours=age)
    row = {"job": job, "granule": granule, "collection": collection, "archive": archive, "moment": moment}
    status = min(statuses)
    tables.execute(
        text(
            "INSERT INTO orca.recovery_job (job_id, collection_id, granule_id, archive_destination,"
            " status_id, request_time, completion_time) VALUES (:job, :collection, :granule, :archive,"
            " :status, :moment, CASE WHEN :status > 2 THEN CAST(:moment AS timestamptz) END)"
        ),
        row | {"status": status.value},
    )
    for number, each in enumerate(statuses):
        tables.execute(
            text(
                "INSERT INTO orca.recovery_file (job_id, collection_id, granule_id, filename, key_path,"
                " restore_destination, status_id, error_message, request_time, last_update) VALUES (:job,"
                " :collection, :granule, :name, 'd/' || :name, :destination, :status, :error, :moment,"
                " :moment)"
            ),
            row | {"destination": destination, "name": f"{number}.h5", "status": each.value, "error": error},
        )
