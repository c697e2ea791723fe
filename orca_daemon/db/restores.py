"""The daemon's own record of restores: plans, results, the bytes of a day, and numbers for the gauges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from orca_daemon.db.sql import load
from orca_daemon.engine.errors import NotYet, Reject
from orca_daemon.wire.restore import Tier

_SQL = load(__package__, "restores.sql")
_LOCK = 0x72657374  # "rest": one plan at a time, while the bytes of a day are limited
MISSING = "the table orca_daemon_restore does not exist: run 'orca-daemon db upgrade'"


class RestoreStep(StrEnum):
    """What is done for one file; the values are those of the column `step`."""

    ASK = "ask"
    """S3 is asked to restore the object."""
    WAIT = "wait"
    """A restore is under way already."""
    EXTEND = "extend"
    """It is restored and expires soon: its expiry is put off, and it is copied at once."""
    COPY = "copy"
    """It is readable: it is copied at once."""
    FAIL = "fail"
    """It will not come."""


class FileName(NamedTuple):
    """Names a file within a job."""

    collection_id: str
    granule_id: str
    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRow:
    """What is recorded of one file."""

    name: FileName
    archive: str
    """The bucket."""
    key: str
    size: int
    """Bytes."""
    step: RestoreStep
    tier: Tier
    requested_at: datetime
    done_at: datetime | None = None
    """When its step was taken; None if that is still to come, or if the file was given up."""
    expires_at: datetime | None = None
    """When S3 will delete the restored copy, as far as that is known."""
    error: str | None = None
    """Why it will not come."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.done_at is not None


@dataclass(frozen=True, slots=True)
class RestoreCounts:
    """Restores at one time, of the jobs that are open."""

    in_progress: Mapping[str, int]
    """Number of files by tier."""
    oldest: float | None
    """When the oldest of them was asked for, in seconds since the epoch."""
    expiring: int
    """Restored copies that expire within a day and are not copied."""


class DayFullError(Reject):
    """The limit of bytes of a day would be exceeded; `left` bytes remain."""

    def __init__(self, left: int) -> None:
        super().__init__("the bytes of this day are used up")
        self.left = left


def of_job(connection: Connection, job: str, granules: Sequence[str]) -> dict[FileName, RestoreRow]:
    """Everything recorded of a job for granules with these ids.

    Raises:
        NotYet: the table does not exist.
    """
    if not connection.scalar(_SQL["exists"]):
        raise NotYet(MISSING)
    return {
        (name := FileName(row.collection_id, row.granule_id, row.filename)): RestoreRow(
            name=name,
            archive=row.archive,
            key=row.key_path,
            size=row.size_in_bytes,
            step=RestoreStep(row.step),
            tier=Tier(row.tier),
            requested_at=row.requested_at,
            done_at=row.done_at,
            expires_at=row.expires_at,
            error=row.error_message,
        )
        for row in connection.execute(_SQL["of_job"], {"job": job, "granules": list(granules)})
    }


def unfinished(connection: Connection, request: str) -> str | None:
    """The newest job of this request of which something is left to do; None if there is none.

    A request that was given up and is sent again from the dead-letter queue is a new message: this finds
    its job.

    Raises:
        NotYet: the table does not exist.
    """
    if not connection.scalar(_SQL["exists"]):
        raise NotYet(MISSING)
    job: str | None = connection.scalar(_SQL["unfinished"], {"request": request})
    return job


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """What one message asks for."""

    job: str
    request: str
    """Digest of the message's body, which is the same after a redrive."""
    rows: Sequence[RestoreRow]

    @property
    def granules(self) -> list[str]:
        """The ids of the granules."""
        return list(dict.fromkeys(row.name.granule_id for row in self.rows))


def plan(
    connection: Connection, planned: PlannedJob, now: datetime, per_day: int | None
) -> dict[FileName, RestoreRow]:
    """Record what is to be done, unless it is recorded; returns all that is recorded of these granules.

    Args:
        connection: in a transaction.
        planned: the files.
        now: the time, which says what day it is.
        per_day: largest number of bytes that all daemons ask for in one day (UTC); None: no limit.

    Raises:
        DayFullError: the limit would be exceeded; nothing is recorded.
        NotYet: the table does not exist.
    """
    if per_day is not None:
        connection.execute(_SQL["lock_day"], {"lock": _LOCK})
    before = of_job(connection, planned.job, planned.granules)
    new = [row for row in planned.rows if row.name not in before]
    wanted = sum(row.size for row in new if row.step is RestoreStep.ASK)
    if per_day is not None and wanted:
        left = per_day - connection.execute(_SQL["asked_today"], {"now": now}).scalar_one()
        if wanted > left:
            raise DayFullError(max(left, 0))
    if new:
        names = {"job": planned.job, "request": planned.request}
        connection.execute(_SQL["plan"], names | _columns(new))
    return of_job(connection, planned.job, planned.granules)


def end(connection: Connection, job: str, rows: Sequence[RestoreRow]) -> None:
    """Record what became of files of one granule, which have been planned."""
    first = rows[0].name
    columns = _columns(rows) | {"expires": [row.expires_at for row in rows]}
    names = {"job": job, "collection": first.collection_id, "granule": first.granule_id}
    connection.execute(_SQL["end"], columns | names)


def counts(connection: Connection, now: datetime) -> RestoreCounts:
    """Count now; nothing if the table does not exist."""
    if not connection.scalar(_SQL["exists"]):
        return RestoreCounts({}, None, 0)
    found = connection.execute(_SQL["in_progress"]).all()
    expiring = connection.execute(_SQL["expiring"], {"now": now}).scalar_one()
    return RestoreCounts(
        {row.tier: row.files for row in found}, min((row.oldest for row in found), default=None), expiring
    )


def _columns(rows: Sequence[RestoreRow]) -> dict[str, object]:
    return {
        "collections": [row.name.collection_id for row in rows],
        "granules": [row.name.granule_id for row in rows],
        "filenames": [row.name.filename for row in rows],
        "archives": [row.archive for row in rows],
        "keys": [row.key for row in rows],
        "sizes": [row.size for row in rows],
        "steps": [row.step.value for row in rows],
        "tiers": [row.tier.value for row in rows],
        "requested": [row.requested_at for row in rows],
        "done": [row.done_at for row in rows],
        "errors": [row.error for row in rows],
    }
