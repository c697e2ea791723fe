"""Jobs of comparing, as rows of `reconcile_job`: opened, moved along, finished, failed."""

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


@dataclass(frozen=True, slots=True)
class ReconcileJob:
    """One job, as its run begins."""

    id: int
    started: datetime
    """By the database's clock."""
    done: bool = False
    """Whether what was asked for is there already."""


def lock_of(bucket: str, what: str) -> int:
    """The advisory lock of a job: 64 bits, signed."""
    digest = hashlib.sha256(f"orca-daemon reconcile\n{bucket}\n{what}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def open_job(connection: Connection, bucket: str, created: datetime, asked: datetime | None) -> ReconcileJob:
    """The job of this inventory: found, or made.

    One that succeeded keeps its state and its reports until new ones replace them.

    Args:
        connection: in a transaction.
        bucket: the archive bucket.
        created: when the inventory was made.
        asked: when the message was sent; None asks for a new comparison in any case.
    """
    connection.execute(_SQL["alone"], {"key": lock_of(bucket, "jobs")})
    found = connection.execute(_SQL["of_inventory"], {"bucket": bucket, "created": created}).one_or_none()
    now = connection.exec_driver_sql("SELECT now()").scalar_one()
    if found is None:
        return ReconcileJob(_insert(connection, bucket, created), now)
    if found.status_id == ReconcileStatus.SUCCESS:
        # A message delivered again after its work was done asks for nothing; one sent later does.
        return ReconcileJob(found.id, now, done=asked is not None and found.start_time >= asked)
    connection.execute(_SQL["restart_job"], {"job": found.id, "status": ReconcileStatus.GETTING_S3_LIST})
    return ReconcileJob(found.id, now)


def open_stored(connection: Connection, job: int, bucket: str, asked: datetime | None) -> ReconcileJob:
    """The job whose listing ORCA stored.

    Raises:
        Reject: there is no such job for this bucket.
        NotStagedError: its listing is not complete.
    """
    found = connection.execute(_SQL["by_id"], {"job": job, "bucket": bucket}).one_or_none()
    if found is None:
        raise Reject(f"there is no job {job} for the bucket {bucket}")
    if found.status_id == ReconcileStatus.GETTING_S3_LIST:
        raise NotStagedError(f"the listing of job {job} is not complete")
    done = found.status_id == ReconcileStatus.SUCCESS and asked is not None and found.end_time >= asked
    return ReconcileJob(job, found.start_time, done=done)


def move(connection: Connection, job: int, status: ReconcileStatus) -> None:
    """Let everybody see how far the job is.  One that succeeded before stays so."""
    connection.execute(_SQL["move_job"], {"job": job, "status": status, "success": ReconcileStatus.SUCCESS})


def finish(connection: Connection, job: ReconcileJob, note: str | None = None) -> None:
    """The job succeeded, in the transaction that holds its reports; `note` says what they leave out."""
    values = {
        "job": job.id,
        "status": ReconcileStatus.SUCCESS,
        "started": job.started,
        "note": note and storable(note),
    }
    connection.execute(_SQL["finish_job"], values)


def fail(connection: Connection, job: int, reason: str) -> None:
    """The job will not be tried again.  One that succeeded before, or elsewhere, stays so."""
    values = {"job": job, "status": ReconcileStatus.ERROR, "success": ReconcileStatus.SUCCESS}
    connection.execute(_SQL["fail_job"], values | {"reason": storable(reason)})


def fail_inventory(connection: Connection, bucket: str, created: datetime, reason: str) -> None:
    """The same for the job of an inventory, which is made where it never came to that."""
    connection.execute(_SQL["alone"], {"key": lock_of(bucket, "jobs")})
    key = {"bucket": bucket, "created": created}
    found = connection.execute(_SQL["of_inventory"], key).one_or_none()
    job = found.id if found else _insert(connection, bucket, created)
    fail(connection, job, reason)


def fail_stored(connection: Connection, job: int, bucket: str, reason: str) -> None:
    """The same for a job whose listing ORCA stored, where there is such a job."""
    if connection.execute(_SQL["by_id"], {"job": job, "bucket": bucket}).one_or_none():
        fail(connection, job, reason)


def created_of(connection: Connection, job: int, bucket: str) -> datetime:
    """When the inventory of this job was made.  Raises Reject where there is no such job."""
    found = connection.execute(_SQL["by_id"], {"job": job, "bucket": bucket}).one_or_none()
    if found is None:
        raise Reject(f"there is no job {job} for the bucket {bucket}")
    created: datetime = found.inventory_creation_time
    return created


def storable(reason: str) -> str:
    """The reason as Postgres can hold it, whatever it quotes."""
    text = reason.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return text[:_LONGEST_REASON]


def _insert(connection: Connection, bucket: str, created: datetime) -> int:
    values = {"bucket": bucket, "created": created, "status": ReconcileStatus.GETTING_S3_LIST}
    return int(connection.execute(_SQL["insert_job"], values).scalar_one())
