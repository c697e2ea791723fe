"""What a run of status messages makes of the files it is about, as a function of values."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias

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


class FileProgress(NamedTuple):
    """How far a file has come: the columns that an update writes."""

    status: RecoveryStatus
    last_update: datetime
    completion_time: datetime | None = None
    error_message: str | None = None


class JobState(NamedTuple):
    """How far a granule's recovery has come: the columns of its job that follow from its files."""

    status: RecoveryStatus
    completion_time: datetime | None


Files: TypeAlias = Mapping[JobKey, Mapping[str, FileProgress]]
"""The files of jobs, by filename."""


class UnmatchedUpdateError(Exception):
    """No row, or no single row, is meant by the message at `position` of the run."""

    def __init__(self, position: int, reason: str, *, may_come: bool) -> None:
        super().__init__(reason)
        self.position = position
        self.may_come = may_come
        """Whether the row may yet be created by a message that is on its way."""


@dataclass(frozen=True, slots=True)
class UpdateOutcome:
    """What is to be written, and what was left as it is."""

    created: Mapping[FileKey, tuple[NewFile, FileProgress]]
    moved: Mapping[FileKey, FileProgress]
    rolled_up: Mapping[JobKey, JobState]
    """The jobs whose files changed, as they are afterwards."""
    stale: Sequence[int]
    """Positions of the updates that changed nothing."""


def job_key(message: StatusMessage) -> JobKey:
    """The job that a message names; without a collection, that of the collection `UNKNOWN`."""
    collection = UNKNOWN if message.collection_id is None else message.collection_id
    return JobKey(message.job_id, collection, message.granule_id)


def candidates(update: UpdateFile, collections: Callable[[str, str], Iterable[str]]) -> list[JobKey]:
    """The jobs that an update can mean, best first; `collections` knows them by job and granule."""
    if update.collection_id is None:
        named: Iterable[str] = sorted(collections(update.job_id, update.granule_id))
    else:
        own = update.collection_id
        named = (own,) if own == UNKNOWN else (own, UNKNOWN)
    return [JobKey(update.job_id, collection, update.granule_id) for collection in named]


def is_stale(stored: FileProgress, update: UpdateFile) -> bool:
    """Whether an update comes too late to change anything.

    Clocks of producers differ, so a time alone never holds back what moves a file forward.
    """
    forward = _RANK[update.status] > _RANK[stored.status]
    return update.last_update < stored.last_update and not forward


def opening(job: NewJob, now: datetime) -> JobState:
    """Status and completion time of a job that begins; without files it has failed `now`, as in ORCA."""
    if not job.files:
        return JobState(RecoveryStatus.FAILED, now)
    return roll_up([_beginning(file) for file in job.files])


def roll_up(files: Collection[FileProgress]) -> JobState:
    """The least advanced of some files; the time of the last one, once all have ended."""
    status = min(file.status for file in files)
    if status < RecoveryStatus.FAILED:
        return JobState(status, None)
    return JobState(
        status, max((file.completion_time for file in files if file.completion_time), default=None)
    )


def fold(messages: Sequence[StatusMessage], stored: Files) -> UpdateOutcome:
    """Take the messages one by one, in order.

    Args:
        messages: the run.
        stored: every job that a message can mean, with all its files, as they are before the run; jobs
            that the run opens have none.

    Raises:
        UnmatchedUpdateError: an update has no row, or several.
    """
    ledger = _Ledger({job: dict(files) for job, files in stored.items()})
    for position, message in enumerate(messages):
        match message:
            case NewJob():
                ledger.open(message)
            case UpdateFile():
                ledger.move(position, message)
    whole = {job: roll_up(ledger.files[job].values()) for job in ledger.changed}
    return UpdateOutcome(ledger.created, ledger.moved, whole, ledger.stale)


def _beginning(file: NewFile) -> FileProgress:
    return FileProgress(file.status, file.last_update, file.completion_time, file.error_message)


@dataclass(slots=True)
class _Ledger:
    """The files during a fold."""

    files: dict[JobKey, dict[str, FileProgress]]
    created: dict[FileKey, tuple[NewFile, FileProgress]] = field(default_factory=dict)
    moved: dict[FileKey, FileProgress] = field(default_factory=dict)
    changed: dict[JobKey, None] = field(default_factory=dict)
    stale: list[int] = field(default_factory=list)

    def open(self, job: NewJob) -> None:
        """Add the files that are not there yet; those that are may have moved on since the first delivery."""
        owner = job_key(job)
        for file in job.files:
            if file.filename not in self.files[owner]:
                began = _beginning(file)
                self.created[FileKey(owner, file.filename)] = file, began
                self._write(owner, file.filename, began)

    def move(self, position: int, update: UpdateFile) -> None:
        """Write the update to the one row that it means, unless it is stale."""
        owner = self._place(position, update)
        before = self.files[owner][update.filename]
        if is_stale(before, update):
            self.stale.append(position)
            return
        latest = max(before.last_update, update.last_update)
        after = FileProgress(update.status, latest, update.completion_time, update.error_message)
        key = FileKey(owner, update.filename)
        if key in self.created:
            self.created[key] = self.created[key][0], after
        else:
            self.moved[key] = after
        self._write(owner, update.filename, after)

    def _write(self, job: JobKey, filename: str, progress: FileProgress) -> None:
        self.files[job][filename] = progress
        self.changed[job] = None

    def _place(self, position: int, update: UpdateFile) -> JobKey:
        possible = candidates(update, self._collections)
        jobs = [job for job in possible if update.filename in self.files.get(job, ())]
        if not jobs:
            raise UnmatchedUpdateError(position, "no new_job has named this file", may_come=True)
        if len(jobs) > 1 and update.collection_id is None:
            raise UnmatchedUpdateError(
                position,
                "it names no collection, and several collections have such a file in this job",
                may_come=False,
            )
        return jobs[0]

    def _collections(self, job_id: str, granule_id: str) -> list[str]:
        named = (job for job in self.files if (job.job_id, job.granule_id) == (job_id, granule_id))
        return [job.collection_id for job in named]
