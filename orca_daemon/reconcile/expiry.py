"""Removes old jobs with their reports, some rows at a time, and never by reading a whole table."""

from datetime import datetime

import structlog
from sqlalchemy import Connection

from orca_daemon.db.database import Database
from orca_daemon.db.sql import load

_SQL = load(__package__, "expiry.sql")
_BATCH = 5000
_SMALL = 8 << 20
"""Bytes of a partition that may be read where it has no index for the purpose."""
log = structlog.get_logger()


async def expire(database: Database, before: datetime, *, batch: int = _BATCH) -> int:
    """Remove the jobs that have not changed since `before`, and return how many.

    Each transaction removes at most `batch` rows.  A partition of `reconcile_s3_object` that ORCA loaded has
    no index that finds the rows of a job, and the deletion of any job would read all of it; while there is
    such a one, reports are removed and jobs stay (`orca-daemon db upgrade` builds the index).
    """
    scanned = await database.transact(_scanned)
    if scanned:
        log.warning("reconcile.jobs_kept", partitions=scanned, remedy="orca-daemon db upgrade")
    removed, after = 0, 0
    while found := await database.transact(_next, before, after):
        after, bucket = found
        for part in ("phantoms", "orphans", "mismatches", *(() if scanned else ("listing",))):
            while await database.transact(_remove, part, after, bucket, batch) == batch:
                pass
        if not scanned:
            removed += await database.transact(_forget, after, before)
    return removed


def _scanned(connection: Connection) -> list[str]:
    return list(connection.scalars(_SQL["scanned_partitions"], {"small": _SMALL}))


def _next(connection: Connection, before: datetime, after: int) -> tuple[int, str] | None:
    found = connection.execute(_SQL["expired_jobs"], {"before": before, "after": after}).one_or_none()
    return (found.id, found.bucket) if found else None


def _remove(connection: Connection, part: str, job: int, bucket: str, batch: int) -> int:
    values = {"job": job, "batch": batch} | ({"bucket": bucket} if part == "listing" else {})
    return connection.execute(_SQL[part], values).rowcount


def _forget(connection: Connection, job: int, before: datetime) -> int:
    return connection.execute(_SQL["delete_job"], {"job": job, "before": before}).rowcount
