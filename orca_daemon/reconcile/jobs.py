"""Comparison jobs, the rows of `reconcile_job`: open, change the status, finish, fail."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from orca_daemon.db.sql import load
from orca_daemon.engine.errors import Reject
from orca_daemon.wire.reconciliation import ReconcileStatus

_SQL = load(__package__, "jobs.sql")
_LONGEST_REASON = 2000


class NotStagedError(Exception):
    """ORCA is still loading the listing of this job."""


class NoListingError(Reject):
    """Postgres has no listing of this job."""


@dataclass(frozen=True, slots=True)
class ReconcileJob:
    """One job, at the start of its comparison."""

    id: int
    started: datetime
    """By the database's clock."""
    done: bool = False
    """Whether the reports that the request asks for exist already."""


def lock_of(bucket: str, what: str) -> int:
    """The key of an advisory lock (64 bits, signed) of a bucket; `what` is one job, or `jobs` for all."""
    digest = hashlib.sha256(f"orca-daemon reconcile\n{bucket}\n{what}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def open_job(connection: Connection, bucket: str, created: datetime, sent: datetime | None) -> ReconcileJob:
    """The job of this inventory; it is created if it does not exist.

    A job that succeeded keeps its status and its reports until new reports replace them.

    Args:
        connection: in a transaction.
        bucket: the archive bucket.
        created: when the inventory was made.
        sent: when the message was sent; None asks for a new comparison in any case.
    """
    connection.execute(_SQL["lock_jobs_of_bucket"], {"key": lock_of(bucket, "jobs")})
    row = connection.execute(_SQL["of_inventory"], {"bucket": bucket, "created": created}).one_or_none()
    now = connection.exec_driver_sql("SELECT now()").scalar_one()
    if row is None:
        return ReconcileJob(_insert(connection, bucket, created), now)
    if row.status_id == ReconcileStatus.SUCCESS:
        # If the message was sent before that comparison began, it is a second delivery: nothing is left to
        # do.
        return ReconcileJob(row.id, now, done=sent is not None and row.start_time >= sent)
    connection.execute(_SQL["restart_job"], {"job": row.id, "status": ReconcileStatus.GETTING_S3_LIST})
    return ReconcileJob(row.id, now)


def open_stored(connection: Connection, job: int, bucket: str, sent: datetime | None) -> ReconcileJob:
    """The job of a listing that ORCA stored.

    Raises:
        Reject: the bucket has no job with this id.
        NotStagedError: its listing is not complete.
        NoListingError: its listing is not stored, or not any more.
    """
    row = connection.execute(_SQL["by_id"], {"job": job, "bucket": bucket}).one_or_none()
    if row is None:
        raise _no_such_job(job, bucket)
    if row.status_id == ReconcileStatus.GETTING_S3_LIST:
        raise NotStagedError(f"the listing of job {job} is not complete")
    done = row.status_id == ReconcileStatus.SUCCESS and sent is not None and row.end_time >= sent
    if not done and not connection.scalar(_SQL["has_listing"], {"job": job, "bucket": bucket}):
        raise _without_listing(job, ReconcileStatus(row.status_id))
    return ReconcileJob(job, row.start_time, done=done)


def _without_listing(job: int, status: ReconcileStatus) -> Exception:
    """No rows do not mean that the bucket is empty, whatever `reconcile.allow_empty` says.

    ORCA keeps only the last listing of a bucket, the daemon stores none, and ORCA sets a job to STAGED before
    its rows are committed.
    """
    if status is ReconcileStatus.STAGED:
        return NotStagedError(f"the listing of job {job} is not complete: it has no rows yet")
    return NoListingError(
        f"Postgres has no listing of job {job}: ORCA keeps only the last one of a bucket, the daemon none; "
        "to compare again, name the manifest: orca-daemon reconcile s3://BUCKET/…/manifest.json"
    )


def move(connection: Connection, job: int, status: ReconcileStatus) -> None:
    """Set the status of the job, unless it has succeeded before: then it stays a success."""
    connection.execute(_SQL["move_job"], {"job": job, "status": status, "success": ReconcileStatus.SUCCESS})


def finish(connection: Connection, job: ReconcileJob, note: str | None = None) -> None:
    """Mark the job as succeeded, in the transaction of its reports; `note` names what they leave out."""
    values = {
        "job": job.id,
        "status": ReconcileStatus.SUCCESS,
        "started": job.started,
        "note": note and storable(note),
    }
    connection.execute(_SQL["finish_job"], values)


def fail(connection: Connection, job: int, reason: str) -> None:
    """Mark the job as failed, unless it has succeeded, before or in another process."""
    values = {"job": job, "status": ReconcileStatus.ERROR, "success": ReconcileStatus.SUCCESS}
    connection.execute(_SQL["fail_job"], values | {"reason": storable(reason)})


def fail_inventory(connection: Connection, bucket: str, created: datetime, reason: str) -> None:
    """Mark the job of an inventory as failed, as `fail` does; it is created if it does not exist."""
    connection.execute(_SQL["lock_jobs_of_bucket"], {"key": lock_of(bucket, "jobs")})
    key = {"bucket": bucket, "created": created}
    row = connection.execute(_SQL["of_inventory"], key).one_or_none()
    job = row.id if row else _insert(connection, bucket, created)
    fail(connection, job, reason)


def fail_stored(connection: Connection, job: int, bucket: str, reason: str) -> None:
    """Mark the job of a stored listing as failed, as `fail` does, if it exists."""
    if connection.execute(_SQL["by_id"], {"job": job, "bucket": bucket}).one_or_none():
        fail(connection, job, reason)


def created_of(connection: Connection, job: int, bucket: str) -> datetime:
    """When the inventory of this job was made.  Raises Reject if the job does not exist."""
    created: datetime | None = connection.scalar(_SQL["created_of_job"], {"job": job, "bucket": bucket})
    if created is None:
        raise _no_such_job(job, bucket)
    return created


def _no_such_job(job: int, bucket: str) -> Reject:
    return Reject(f"there is no job {job} for the bucket {bucket}")


def storable(reason: str) -> str:
    """The reason as Postgres can store it: valid UTF-8, without NUL, cut to `_LONGEST_REASON`."""
    text = reason.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return text[:_LONGEST_REASON]


def _insert(connection: Connection, bucket: str, created: datetime) -> int:
    values = {"bucket": bucket, "created": created, "status": ReconcileStatus.GETTING_S3_LIST}
    return int(connection.execute(_SQL["insert_job"], values).scalar_one())
