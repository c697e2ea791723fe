"""Reads recovery jobs, their granules and files, for the command line."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from orca_daemon.db.sql import load
from orca_daemon.wire.status import RecoveryStatus

_SQL = load(__package__, "jobs.sql")
ALL = tuple(RecoveryStatus)
OPEN = (RecoveryStatus.PENDING, RecoveryStatus.STAGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A filter of jobs: a job must meet all conditions that are given."""

    statuses: tuple[RecoveryStatus, ...] = ()
    """Its status is one of these; empty for any."""
    granule: str | None = None
    """One of its granules has this id."""
    collection: str | None = None
    archive: str | None = None
    """One of its granules is in this archive bucket."""
    since: datetime | None = None
    """Requested at this time or later."""
    until: datetime | None = None
    """Requested before this time."""
    idle_since: datetime | None = None
    """One of its files is neither copied nor failed, and its status has not changed since this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job: all granules of one request."""

    job_id: str
    status: RecoveryStatus
    """The lowest status of its granules."""
    request_time: datetime
    completion_time: datetime | None
    last_update: datetime | None
    """When the status of one of its files last changed; None if it has no files."""
    granules: int
    pending: int
    """Number of files with this status, as are the next three."""
    staged: int
    failed: int
    success: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Granule:
    """A granule of a job."""

    collection_id: str
    granule_id: str
    archive_destination: str
    status: RecoveryStatus
    request_time: datetime
    completion_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a granule."""

    collection_id: str
    granule_id: str
    filename: str
    status: RecoveryStatus
    error_message: str | None
    request_time: datetime
    last_update: datetime
    completion_time: datetime | None
    archive_destination: str
    key_path: str
    restore_destination: str
    multipart_chunksize_mb: int | None


def jobs(connection: Connection, chosen: Chosen, *, limit: int, after: str | None = None) -> list[Job]:
    """The newest jobs first, at most `limit`; `after` is the last job id of the previous page."""
    parameters = {
        "statuses": [status.value for status in chosen.statuses] or None,
        "granule": chosen.granule,
        "collection": chosen.collection,
        "archive": chosen.archive,
        "since": chosen.since,
        "until": chosen.until,
        "idle_since": chosen.idle_since,
        "after": after,
        "limit": limit,
    }
    return [Job(**_row(row)) for row in connection.execute(_SQL["jobs"], parameters)]


def near_collections(connection: Connection, text: str, *, limit: int) -> list[str]:
    """Collections that begin with the text or have it as their short name, whatever its case."""
    return list(connection.execute(_SQL["near_collections"], {"text": text, "limit": limit}).scalars())


def job_ids(connection: Connection, text: str, *, limit: int) -> list[str]:
    """The job of this id or, if there is none, at most `limit` jobs whose ids begin with the text."""
    exact = connection.execute(_SQL["job_id"], {"job": text}).scalars().all()
    if exact or not text:
        return list(exact)
    return list(connection.execute(_SQL["job_ids"], {"start": text, "limit": limit}).scalars())


def granules(connection: Connection, job: str, *, granule: str | None = None) -> list[Granule]:
    """The granules of a job; an empty list if the job does not exist."""
    rows = connection.execute(_SQL["granules"], {"job": job, "granule": granule})
    return [Granule(**_row(row)) for row in rows]


def files(
    connection: Connection,
    job: str,
    *,
    granule: str | None = None,
    filename: str | None = None,
    statuses: Iterable[RecoveryStatus] = ALL,
    limit: int | None = None,
) -> list[File]:
    """The files of a job that have one of these statuses, at most `limit` of them."""
    parameters = {
        "job": job,
        "granule": granule,
        "filename": filename,
        "statuses": [status.value for status in statuses],
        "limit": limit,
    }
    return [File(**_row(row)) for row in connection.execute(_SQL["files"], parameters)]


def _row(row: Any) -> dict[str, Any]:
    fields = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's documented name
    fields["status"] = RecoveryStatus(fields.pop("status_id"))
    return fields
