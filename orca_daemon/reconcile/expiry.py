"""Removes old jobs and their reports in small transactions, without reading a whole table."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from orca_daemon.db.database import Database
from orca_daemon.db.sql import load

_SQL = load(__package__, "expiry.sql")
_BATCH = 5000
_SMALL = 8 << 20
"""Size of a partition, in bytes, that may be read as a whole if it has no index of jobs."""
log = structlog.get_logger()


async def expire(database: Database, age: timedelta, *, batch: int = _BATCH) -> int:
    """Remove the jobs that have not changed for `age`, and return how many.

    The time is the database's, which also wrote `last_update`: if this machine's clock were ahead, reports
    that are still wanted would be deleted.

    Each transaction removes at most `batch` rows.  A partition of `reconcile_s3_object` that ORCA loaded has
    no index of jobs, so the deletion of any job would read the whole partition.  While such a partition
    exists, only reports are removed and jobs stay (`orca-daemon db upgrade` builds the index).
    """
    before = await database.transact(_time_before, age)
    unindexed = await database.transact(_unindexed_partitions)
    if unindexed:
        log.warning("reconcile.jobs_kept", partitions=unindexed, remedy="orca-daemon db upgrade")
    removed, job = 0, 0
    while expired := await database.transact(_next_job, before, job):
        job, bucket = expired
        for part in ("phantoms", "orphans", "mismatches", *(() if unindexed else ("listing",))):
            while await database.transact(_delete_rows, part, job, bucket, batch) == batch:
                pass
        if not unindexed:
            removed += await database.transact(_delete_job, job, before)
    return removed


def _time_before(connection: Connection, age: timedelta) -> datetime:
    before: datetime = connection.execute(_SQL["time_before"], {"age": age}).scalar_one()
    return before


def _unindexed_partitions(connection: Connection) -> list[str]:
    return list(connection.scalars(_SQL["unindexed_partitions"], {"small": _SMALL}))


def _next_job(connection: Connection, before: datetime, after: int) -> tuple[int, str] | None:
    job = connection.execute(_SQL["expired_jobs"], {"before": before, "after": after}).one_or_none()
    return (job.id, job.bucket) if job else None


def _delete_rows(connection: Connection, part: str, job: int, bucket: str, batch: int) -> int:
    values = {"job": job, "batch": batch} | ({"bucket": bucket} if part == "listing" else {})
    return connection.execute(_SQL[part], values).rowcount


def _delete_job(connection: Connection, job: int, before: datetime) -> int:
    # The job may have been started again since it was read: `before` is checked once more.
    return connection.execute(_SQL["delete_job"], {"job": job, "before": before}).rowcount
