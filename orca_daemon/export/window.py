"""Which rows a run takes: decided from the last file and the clock, without looking at any row."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from orca_daemon.export.snapshot import Snapshot


class ClockBehindError(Exception):
    """The newest file is later than now: a file written now would never be the newest."""


@dataclass(frozen=True, slots=True)
class Last:
    """The newest file of a table.  `snapshot` is None where another program wrote it."""

    key: str
    end: datetime
    snapshot: Snapshot | None = None
    columns: tuple[tuple[str, str], ...] = ()
    """Name and Postgres type of each column, in order; empty where another program wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Rows with `start` <= change time < `end`, and late ones back to `late_from`.

    A late row is one that `unseen_by` could not see: its producer stamped it before the last run and
    committed it after.  `start` None is the beginning of time.
    """

    end: datetime
    start: datetime | None = None
    late_from: datetime | None = None
    late_until: datetime | None = None
    unseen_by: Snapshot | None = None
    whole: bool = False
    """Take rows without a change time too (or with `infinity`), and tables that have none."""


def window(
    now: datetime,
    last: Last | None,
    *,
    overlap: timedelta,
    since: datetime | None = None,
    full: bool = False,
) -> Window:
    """The rows to take at `now`, all times aware.

    `since` moves the start; what came late for the last file is taken all the same.

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
    """Whether `since` leaves out rows that no file holds."""
    return bool(last and since and since > last.end)
