"""Messages written to Postgres: one transaction per message, as ORCA does, and one per run, as we do."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, create_engine, text

from bench.status.workload import Sent
from orca_daemon.db.database import Database
from orca_daemon.queues.status_update.store import apply
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from orca_daemon.wire.status import NewFile, NewJob, StatusMessage, UpdateFile, decode

_INSERT_JOB = text("""
    INSERT INTO orca.recovery_job
        (job_id, collection_id, granule_id, archive_destination, status_id, request_time, completion_time)
    VALUES (:job, :collection, :granule, :archive, 1, :requested, NULL)
""")
_INSERT_FILE = text("""
    INSERT INTO orca.recovery_file
        (job_id, collection_id, granule_id, filename, key_path, restore_destination, multipart_chunksize_mb,
         status_id, error_message, request_time, last_update, completion_time)
    VALUES (:job, :collection, :granule, :filename, :path, :destination, :chunk, :status, NULL, :requested,
            :updated, NULL)
""")
_UPDATE_FILE = text("""
    UPDATE orca.recovery_file
    SET status_id = :status, last_update = :updated, completion_time = :completed, error_message = :error
    WHERE job_id = :job AND collection_id = :collection AND granule_id = :granule AND filename = :filename
""")
_UPDATE_JOB = text("""
    UPDATE orca.recovery_job SET status_id = files.status, completion_time = files.completed
    FROM (
        SELECT
            min(status_id) AS status,
            CASE WHEN min(status_id) > 2 THEN max(completion_time) END AS completed
        FROM orca.recovery_file
        WHERE job_id = :job AND collection_id = :collection AND granule_id = :granule
    ) AS files
    WHERE job_id = :job AND collection_id = :collection AND granule_id = :granule
""")


def decode_all(sent: Sequence[Sent]) -> list[StatusMessage]:
    """Decode the bodies."""
    return [decode(one.body, {"RequestMethod": one.method}) for one in sent]


def compare(
    urls: tuple[str, str], messages: Sequence[StatusMessage], size: int, rounds: int = 10
) -> tuple[float, float]:
    """Seconds for one transaction per message, and for one transaction per run of `size` messages.

    The two take turns, each on its own database, so that other load on the machine affects both equally.
    """
    return asyncio.run(_compare(urls, messages, size, rounds))


async def _compare(
    urls: tuple[str, str], messages: Sequence[StatusMessage], size: int, rounds: int
) -> tuple[float, float]:
    engine = create_engine(urls[0].replace("postgresql:", "postgresql+psycopg2:"))
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
    database = Database(DatabaseSettings.model_validate({"url": urls[1]}))
    await database.probe()
    turn = -(-len(messages) // rounds // size) * size
    one_by_one = in_runs = 0.0
    for start in range(0, len(messages), turn):
        part = messages[start : start + turn]
        one_by_one += _one_by_one(engine, part)
        in_runs += await _in_runs(database, part, size)
    engine.dispose()
    database.close()
    return one_by_one, in_runs


def rate(url: str, messages: Sequence[StatusMessage], size: int) -> float:
    """Messages a second in runs of `size`, after the first message, which opens the job."""
    return asyncio.run(_rate(url, messages, size))


async def _rate(url: str, messages: Sequence[StatusMessage], size: int) -> float:
    database = Database(DatabaseSettings.model_validate({"url": url}))
    await database.transact(apply, messages[:1], datetime.now(UTC))
    seconds = await _in_runs(database, messages[1:], size)
    database.close()
    return (len(messages) - 1) / seconds


def _one_by_one(engine: Engine, messages: Sequence[StatusMessage]) -> float:
    """As ORCA does: no lock, no rule for stale updates, no check for unknown files."""
    began = time.perf_counter()
    for message in messages:
        with engine.begin() as connection:
            _write(connection, message)
    return time.perf_counter() - began


def _write(connection: Connection, message: StatusMessage) -> None:
    key = {"job": message.job_id, "collection": message.collection_id, "granule": message.granule_id}
    match message:
        case NewJob():
            values = {"archive": message.archive_destination, "requested": message.request_time}
            connection.execute(_INSERT_JOB, key | values)
            connection.execute(_INSERT_FILE, [key | _columns(file) for file in message.files])
        case UpdateFile():
            changes = {
                "filename": message.filename,
                "status": message.status.value,
                "updated": message.last_update,
                "completed": message.completion_time,
                "error": message.error_message,
            }
            connection.execute(_UPDATE_FILE, key | changes)
            connection.execute(_UPDATE_JOB, key)


def _columns(file: NewFile) -> dict[str, object]:
    return {
        "filename": file.filename,
        "path": file.key_path,
        "destination": file.restore_destination,
        "chunk": file.s3_multipart_chunksize_mb,
        "status": file.status.value,
        "requested": file.request_time,
        "updated": file.last_update,
    }


async def _in_runs(database: Database, messages: Sequence[StatusMessage], size: int) -> float:
    began = time.perf_counter()
    for start in range(0, len(messages), size):
        await database.transact(apply, messages[start : start + size], datetime.now(UTC))
    return time.perf_counter() - began
