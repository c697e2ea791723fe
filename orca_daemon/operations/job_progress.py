"""Follows a recovery job: how far it is, how fast, and when it will be done."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from orca_daemon.db.job_progress import JobProgress, job_progress
from orca_daemon.operations.database import database
from orca_daemon.operations.jobs import find_job
from orca_daemon.settings import Settings

_WINDOW = 120.0
"""Seconds over which the rate is measured."""
_FEWEST = 2
_SHARE = 10
"""A large job is read less often, so that reading takes a tenth of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a job is, measured over the last two minutes."""

    files_per_second: float | None
    """None before two readings differ in time."""
    bytes_per_second: float | None
    """None if no size is known."""
    seconds_left: float | None
    """None if nothing ended in the last two minutes, or it is over."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One reading of a job."""

    job_id: str
    progress: JobProgress
    pace: Pace


async def watch_job(
    settings: Settings,
    job_id: str,
    *,
    interval: float,
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[Watched]:
    """Read a job every `interval` seconds, or less often if it is large; ends when no file is open any more.

    Raises:
        NotFoundError: the job does not exist, or is not the only one whose id begins so.
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    readings: deque[JobProgress] = deque()
    async with database(settings) as opened:
        job_id = await find_job(opened, job_id)
        while True:
            began = monotonic()
            now = await opened.transact(job_progress, job_id)
            took = monotonic() - began
            readings.append(now)
            while len(readings) > _FEWEST and (now.read_at - readings[0].read_at).total_seconds() > _WINDOW:
                readings.popleft()
            yield Watched(job_id, now, pace(readings))
            if now.is_over:
                return
            await sleep(max(interval, took * _SHARE))


def pace(readings: Sequence[JobProgress]) -> Pace:
    """The pace between the first and the last reading."""
    first, last = readings[0], readings[-1]
    seconds = (last.read_at - first.read_at).total_seconds()
    if seconds <= 0:
        return Pace(files_per_second=None, bytes_per_second=None, seconds_left=None)
    files = max(0, last.ended - first.ended) / seconds
    size = max(0, _ended(last) - _ended(first)) / seconds
    return Pace(
        files_per_second=files,
        bytes_per_second=size if last.bytes.total else None,
        seconds_left=None if last.is_over else _left(last, files, size),
    )


def _left(now: JobProgress, files: float, size: float) -> float | None:
    """By the bytes if the sizes of all files are known, else by the number of files."""
    if size and now.bytes.sized == now.files:
        return (now.bytes.total - _ended(now)) / size
    return (now.files - now.ended) / files if files else None


def _ended(now: JobProgress) -> int:
    return now.bytes.copied + now.bytes.failed
