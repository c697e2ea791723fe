"""Messages into Postgres: one transaction for each, as ORCA does, and our runs of them."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import create_engine, text

from bench.status.workload import Sent
from orca_daemon.db.database import Database
from orca_daemon.queues.status_update.store import apply
from orca_daemon.settings import Database as DatabaseSettings
from orca_daemon.wire.status import NewJob, StatusMessage, UpdateFile, decode

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
    UPDATE orca.recovery_job SET status_id = whole.status, completion_time = whole.completed
    FROM (
        SELECT
            min(status_id) AS status,
            CASE WHEN min(status_id) > 2 THEN max(completion_time) END AS completed
        FROM orca.recovery_file
        WHERE job_id = :job AND collection_id = :collection AND granule_id = :granule
    ) AS whole
    WHERE job_id = :job AND collection_id = :collection AND granule_id = :granule
""")


def decoded(sent: Sequence[Sent]) -> list[StatusMessage]:
    """The messages in them."""
    return [decode(one.body, {"RequestMethod": one.method}) for one in sent]


def one_by_one(url: str, messages: Sequence[StatusMessage]) -> float:
    """Seconds for a transaction of its own for each message, without lock, stale rule or unknown check."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
    began = time.perf_counter()
    for message in messages:
        key = {
            "job": message.job_id,
            "collection": message.collection_id,
            "granule": message.granule_id,
        }
        with engine.begin() as connection:
            match message:
                case NewJob():
                    opened = {"archive": message.archive_destination, "requested": message.request_time}
                    connection.execute(_INSERT_JOB, key | opened)
                    connection.execute(
                        _INSERT_FILE,
                        [
                            key
                            | {
                                "filename": file.filename,
                                "path": file.key_path,
                                "destination": file.restore_destination,
                                "chunk": file.s3_multipart_chunksize_mb,
                                "status": file.status.value,
                                "requested": file.request_time,
                                "updated": file.last_update,
                            }
                            for file in message.files
                        ],
                    )
                case UpdateFile():
                    moved = {
                        "filename": message.filename,
                        "status": message.status.value,
                        "updated": message.last_update,
                        "completed": message.completion_time,
                        "error": message.error_message,
                    }
                    connection.execute(_UPDATE_FILE, key | moved)
                    connection.execute(_UPDATE_JOB, key)
    seconds = time.perf_counter() - began
    engine.dispose()
    return seconds


def in_runs(url: str, messages: Sequence[StatusMessage], size: int) -> float:
    """Seconds for runs of `size` messages, one after the other."""
    return asyncio.run(_in_runs(url, messages, size))


async def _in_runs(url: str, messages: Sequence[StatusMessage], size: int) -> float:
    database = Database(DatabaseSettings.model_validate({"url": url}))
    await database.probe()
    began = time.perf_counter()
    for start in range(0, len(messages), size):
        await database.transact(apply, messages[start : start + size], datetime.now(UTC))
    seconds = time.perf_counter() - began
    database.close()
    return seconds
