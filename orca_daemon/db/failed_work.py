"""Reads what failed, one row for each text: recovery files, comparisons and dead letters."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from orca_daemon.db.jobs import File
from orca_daemon.db.sql import load
from orca_daemon.wire.status import RecoveryStatus

_SQL = load(__package__, "failed_work.sql")
_ROWS_AT_ONCE = 5_000


class FailedText(NamedTuple):
    """What failed with one text; a tuple, because there may be a million."""

    text: str
    """The error, or its beginning; empty if none was recorded."""
    number: int
    """How many failed with it."""
    first: datetime
    last: datetime
    example: str
    """The id of a recovery job, of a comparison or of a dead letter."""
    queue: str | None = None
    """Of dead letters."""
    export: bool = False
    """Whether the dead letters are requests for exports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A failed file in the order of failure."""

    last_update: datetime
    job_id: str = ""
    collection_id: str = ""
    granule_id: str = ""
    filename: str = ""


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that failed, and its place in the order of failure."""

    file: File
    position: Position


def failed_files_by_text(connection: Connection, since: datetime, *, longest: int) -> Iterator[FailedText]:
    """The recovery files that failed since then; of each text at most `longest` characters."""
    return _stream(connection, "files", since, longest)


def failed_reports_by_text(connection: Connection, since: datetime, *, longest: int) -> Iterator[FailedText]:
    """The comparisons that failed since then."""
    return _stream(connection, "reports", since, longest)


def dead_letters_by_text(connection: Connection, since: datetime, *, longest: int) -> Iterator[FailedText]:
    """The recorded dead letters of all queues since then; nothing if there are no records."""
    if not connection.scalar(_SQL["tables"]):
        return iter(())
    return _stream(connection, "dead_letters", since, longest)


def failed_files(
    connection: Connection, *, since: datetime, before: datetime, after: Position, limit: int
) -> list[FailedFile]:
    """The next recovery files that failed in this span of time, in the order of failure."""
    parameters = {
        "since": since,
        "before": before,
        "last_update": after.last_update,
        "job_id": after.job_id,
        "collection_id": after.collection_id,
        "granule_id": after.granule_id,
        "filename": after.filename,
        "limit": limit,
    }
    return [_failed_file(row) for row in connection.execute(_SQL["failed_files"], parameters).mappings()]


def _failed_file(row: Any) -> FailedFile:
    fields = dict(row)
    job_id = fields.pop("job_id")
    file = File(status=RecoveryStatus(fields.pop("status_id")), **fields)
    position = Position(
        last_update=file.last_update,
        job_id=job_id,
        collection_id=file.collection_id,
        granule_id=file.granule_id,
        filename=file.filename,
    )
    return FailedFile(file, position)


def _stream(connection: Connection, block: str, since: datetime, longest: int) -> Iterator[FailedText]:
    # With a cursor of the server: a million different texts must not be in memory at once.
    rows = connection.execute(
        _SQL[block],
        {"since": since, "longest": longest},
        execution_options={"yield_per": _ROWS_AT_ONCE},
    )
    for part in rows.partitions():
        yield from (FailedText(*row) for row in part)
