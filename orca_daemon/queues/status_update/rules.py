"""What a run of status messages makes of the files it is about, as a function of values."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from orca_daemon.wire.status import NewFile, NewJob, RecoveryStatus, StatusMessage, UpdateFile

UNKNOWN = "UNKNOWN"
"""The collection of a message that names none; ORCA's own migration to version 7 writes the same."""

_RANK = {
    RecoveryStatus.PENDING: 0,
    RecoveryStatus.STAGED: 1,
    RecoveryStatus.FAILED: 2,
    RecoveryStatus.SUCCESS: 2,
}


class JobKey(NamedTuple):
    """The primary key of `recovery_job`: a granule's recovery."""

    job_id: str
    collection_id: str
    granule_id: str


class FileKey(NamedTuple):
    """The primary key of `recovery_file`."""

    job: JobKey
    filename: str


class Progress(NamedTuple):
    """How far a file has come: the columns that an update writes."""

    status: RecoveryStatus
    last_update: datetime
    completion_time: datetime | None = None
    error_message: str | None = None


class Unplaced(Exception):  # noqa: N818  a verdict on one message
    """No row, or no single row, is meant by the message at `position` of the run."""

    def __init__(self, position: int, reason: str, *, may_come: bool) -> None:
        super().__init__(reason)
        self.position = position
        self.may_come = may_come
        """Whether the row may yet be created by a message that is on its way."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be written, and what was left as it is."""

    created: Mapping[FileKey, tuple[NewFile, Progress]]
    moved: Mapping[FileKey, Progress]
    stale: Sequence[int]
    """Positions of the updates that changed nothing."""

    @property
    def jobs(self) -> Iterable[JobKey]:
        """The jobs whose files changed."""
        return {key.job for key in (*self.created, *self.moved)}


def job_key(message: StatusMessage) -> JobKey:
    """The job that a message names; without a collection, that of the collection `UNKNOWN`."""
    return JobKey(message.job_id, message.collection_id or UNKNOWN, message.granule_id)


def candidates(update: UpdateFile, collections: Callable[[str, str], Iterable[str]]) -> list[JobKey]:
    """The jobs that an update can mean, best first; `collections` knows them by job and granule."""
    if update.collection_id is None:
        named: Iterable[str] = sorted(collections(update.job_id, update.granule_id))
    else:
        named = dict.fromkeys((update.collection_id, UNKNOWN))
    return [JobKey(update.job_id, collection, update.granule_id) for collection in named]


def is_stale(stored: Progress, update: UpdateFile) -> bool:
    """Whether an update comes too late to change anything.

    Clocks of producers differ, so a time alone never holds back what moves a file forward.
    """
    forward = _RANK[update.status] > _RANK[stored.status]
    return update.last_update < stored.last_update and not forward


def opening(job: NewJob, now: datetime) -> tuple[RecoveryStatus, datetime | None]:
    """Status and completion time of a job that begins; without files it has failed `now`, as in ORCA."""
    if any(file.status is RecoveryStatus.PENDING for file in job.files):
        return RecoveryStatus.PENDING, None
    times = [file.completion_time for file in job.files if file.completion_time is not None]
    return RecoveryStatus.FAILED, max(times) if times else None if job.files else now


def fold(messages: Sequence[StatusMessage], stored: Mapping[FileKey, Progress]) -> Outcome:
    """Take the messages one by one, in order.

    Args:
        messages: the run.
        stored: the rows of every file that a message can mean, as they are before the run.

    Raises:
        Unplaced: an update has no row, or several.
    """
    ledger = _Ledger(stored)
    for position, message in enumerate(messages):
        match message:
            case NewJob():
                ledger.open(message)
            case UpdateFile():
                ledger.move(position, message)
    return Outcome(ledger.created, ledger.moved, ledger.stale)


@dataclass(slots=True)
class _Ledger:
    """The files during a fold."""

    stored: Mapping[FileKey, Progress]
    created: dict[FileKey, tuple[NewFile, Progress]] = field(default_factory=dict)
    moved: dict[FileKey, Progress] = field(default_factory=dict)
    stale: list[int] = field(default_factory=list)
    known: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Collections by job and granule."""

    def __post_init__(self) -> None:
        for key in self.stored:
            self._know(key.job)

    def open(self, job: NewJob) -> None:
        """Add the files that are not there yet; those that are may have moved on since the first delivery."""
        owner = job_key(job)
        for file in job.files:
            key = FileKey(owner, file.filename)
            if self._find(key) is None:
                began = Progress(file.status, file.last_update, file.completion_time, file.error_message)
                self.created[key] = file, began
                self._know(owner)

    def move(self, position: int, update: UpdateFile) -> None:
        """Write the update to the one row that it means, unless it is stale."""
        key = self._place(position, update)
        before = self._find(key)
        if before is None or is_stale(before, update):
            self.stale.append(position)
            return
        after = Progress(
            update.status,
            max(before.last_update, update.last_update),
            update.completion_time,
            update.error_message,
        )
        if key in self.created:
            self.created[key] = self.created[key][0], after
        else:
            self.moved[key] = after

    def _place(self, position: int, update: UpdateFile) -> FileKey:
        possible = candidates(update, lambda job_id, granule_id: self.known.get((job_id, granule_id), ()))
        rows = [key for job in possible if self._find(key := FileKey(job, update.filename)) is not None]
        if not rows:
            raise Unplaced(position, "no new_job has named this file", may_come=True)
        if len(rows) > 1 and update.collection_id is None:
            raise Unplaced(
                position,
                "it names no collection, and several collections have such a file in this job",
                may_come=False,
            )
        return rows[0]

    def _find(self, key: FileKey) -> Progress | None:
        if key in self.created:
            return self.created[key][1]
        return self.moved.get(key) or self.stored.get(key)

    def _know(self, job: JobKey) -> None:
        self.known.setdefault((job.job_id, job.granule_id), set()).add(job.collection_id)
