"""Decides which rows a run exports, from the last file and the time of the run alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from orca_daemon.export.snapshot import Snapshot


class ClockBehindError(Exception):
    """The newest file is later than now: a file written now would not be read as the newest."""


@dataclass(frozen=True, slots=True)
class Last:
    """The newest file of a table.  `snapshot` is None if another program wrote it."""

    key: str
    end: datetime
    snapshot: Snapshot | None = None
    columns: tuple[tuple[str, str], ...] = ()
    """Name and Postgres type of each column, in order; empty if another program wrote the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Rows with `start` <= change time < `end`, and late rows back to `late_from`.

    A late row has a change time before the last run, but was committed after the last run's snapshot,
    `unseen_by`, was taken.  If `start` is None, there is no lower limit.
    """

    end: datetime
    start: datetime | None = None
    late_from: datetime | None = None
    late_until: datetime | None = None
    unseen_by: Snapshot | None = None
    whole: bool = False
    """Whether to export the whole table: also rows without a change time (or with `infinity`)."""


def window(
    now: datetime,
    last: Last | None,
    *,
    overlap: timedelta,
    since: datetime | None = None,
    full: bool = False,
) -> Window:
    """The rows to export at `now`; all times are aware.

    `since` replaces the start; late rows of the last file are exported all the same.

    Raises:
        ClockBehindError: the last file is not older than `now`.
    """
    if last and last.end >= now:
        raise ClockBehindError(f"the newest file is {last.key}, which is not before the time of this run")
    if full:
        return Window(end=now, whole=True)
    start = since or (last.end if last else None)
    if last is None or last.snapshot is None or start is None:
        return Window(end=now, start=start)
    return Window(
        end=now,
        start=start,
        late_from=last.end - overlap,
        late_until=min(start, last.end),
        unseen_by=last.snapshot,
    )


def skipped(last: Last | None, since: datetime | None) -> bool:
    """Whether `since` leaves a gap: rows that are in no file."""
    return bool(last and since and since > last.end)
