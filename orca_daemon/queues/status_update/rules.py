"""Decides what a run of status messages writes: a pure function of the messages and of the stored files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias

from orca_daemon.wire.status import NewFile, NewJob, RecoveryStatus, StatusMessage, UpdateFile

UNKNOWN = "UNKNOWN"
"""The collection of a message without one; ORCA's own migration to version 7 writes the same value."""

_RANK = {
    RecoveryStatus.PENDING: 0,
    RecoveryStatus.STAGED: 1,
    RecoveryStatus.FAILED: 2,
    RecoveryStatus.SUCCESS: 2,
}


class JobKey(NamedTuple):
    """The primary key of `recovery_job`, whose rows are recoveries of one granule."""

    job_id: str
    collection_id: str
    granule_id: str


class FileKey(NamedTuple):
    """The primary key of `recovery_file`."""

    job: JobKey
    filename: str


class FileProgress(NamedTuple):
    """The columns of `recovery_file` that an update writes."""

    status: RecoveryStatus
    last_update: datetime
    completion_time: datetime | None = None
    error_message: str | None = None


class JobState(NamedTuple):
    """The columns of `recovery_job` that are computed from the job's files."""

    status: RecoveryStatus
    completion_time: datetime | None


class StoredFiles(NamedTuple):
    """The files of a job before a run: those that the run names by themselves, the others in sum."""

    named: dict[str, FileProgress]
    """By filename.  A job may have ten thousand files, and a run names a hundred."""
    others: "JobState | None"
    """The roll-up of all other files; None if there are none."""


Files: TypeAlias = Mapping[JobKey, StoredFiles]


class UnmatchedUpdateError(Exception):
    """The message at `position` of the run matches no row, or more than one."""

    def __init__(self, position: int, reason: str, *, may_come: bool) -> None:
        super().__init__(reason)
        self.position = position
        self.may_come = may_come
        """Whether a message that has not arrived yet may still create the row."""


@dataclass(frozen=True, slots=True)
class UpdateOutcome:
    """The rows to write, and the updates that change nothing."""

    created: Mapping[FileKey, tuple[NewFile, FileProgress]]
    """Rows to insert, with their progress at the end of the run."""
    updated: Mapping[FileKey, FileProgress]
    """Rows to update, with their progress at the end of the run."""
    rolled_up: Mapping[JobKey, JobState]
    """The jobs whose files changed, with their state at the end of the run."""
    stale: Sequence[int]
    """Positions in the run of the updates that changed nothing."""


def job_key(message: StatusMessage) -> JobKey:
    """The job that a message names.  If it names no collection, the collection is `UNKNOWN`."""
    collection = UNKNOWN if message.collection_id is None else message.collection_id
    return JobKey(message.job_id, collection, message.granule_id)


def candidates(update: UpdateFile, collections: Callable[[str, str], Iterable[str]]) -> list[JobKey]:
    """The jobs that an update may refer to, the best match first.

    Args:
        update: the update.
        collections: returns the collections of the known jobs with this job id and granule id.
    """
    if update.collection_id is None:
        names: Iterable[str] = sorted(collections(update.job_id, update.granule_id))
    else:
        own = update.collection_id
        names = (own,) if own == UNKNOWN else (own, UNKNOWN)
    return [JobKey(update.job_id, collection, update.granule_id) for collection in names]


def is_stale(stored: FileProgress, update: UpdateFile) -> bool:
    """Whether an update is older than the stored row, and so must not change it.

    The clocks of producers differ, so an update that moves a file forward is never stale, whatever its time.
    """
    return update.last_update < stored.last_update and _RANK[update.status] <= _RANK[stored.status]


def opening(job: NewJob, now: datetime) -> JobState:
    """The state of a new job.  A job without files fails at once, at the time `now`, as in ORCA."""
    if not job.files:
        return JobState(RecoveryStatus.FAILED, now)
    return roll_up([_initial(file) for file in job.files])


def roll_up(files: Iterable[FileProgress], others: JobState | None = None) -> JobState:
    """The state of a job: the lowest status of its files; once all are final, the latest completion time.

    Args:
        files: files of the job; at least one if `others` is None.
        others: the roll-up of the job's other files, if there are any.
    """
    parts: list[FileProgress | JobState] = [*files, *([others] if others else [])]
    status = min(part.status for part in parts)
    if status < RecoveryStatus.FAILED:
        return JobState(status, None)
    return JobState(
        status, max((part.completion_time for part in parts if part.completion_time), default=None)
    )


def named(messages: Iterable[StatusMessage]) -> dict[tuple[str, str], set[str]]:
    """The names of the files that messages name, by job id and granule id."""
    names: dict[tuple[str, str], set[str]] = {}
    for message in messages:
        files = message.files if isinstance(message, NewJob) else [message]
        names.setdefault((message.job_id, message.granule_id), set()).update(file.filename for file in files)
    return names


def fold(messages: Sequence[StatusMessage], stored: Files) -> UpdateOutcome:
    """Apply the messages one by one, in order.

    Args:
        messages: the run.
        stored: every job that a message may refer to, with its files as they are before the run; the jobs
            that the run opens have no files yet.

    Raises:
        UnmatchedUpdateError: an update matches no row, or several.
    """
    ledger = _Ledger({job: dict(files.named) for job, files in stored.items()})
    for position, message in enumerate(messages):
        match message:
            case NewJob():
                ledger.open(message)
            case UpdateFile():
                ledger.update(position, message)
    rolled_up = {job: roll_up(ledger.files[job].values(), stored[job].others) for job in ledger.changed}
    return UpdateOutcome(ledger.created, ledger.updated, rolled_up, ledger.stale)


def _initial(file: NewFile) -> FileProgress:
    return FileProgress(file.status, file.last_update, file.completion_time, file.error_message)


@dataclass(slots=True)
class _Ledger:
    """The files and the changes so far, during `fold`.  Only `fold` writes to it."""

    files: dict[JobKey, dict[str, FileProgress]]
    """Those that the run names."""
    created: dict[FileKey, tuple[NewFile, FileProgress]] = field(default_factory=dict)
    updated: dict[FileKey, FileProgress] = field(default_factory=dict)
    changed: dict[JobKey, None] = field(default_factory=dict)
    """An ordered set."""
    stale: list[int] = field(default_factory=list)
    possible: dict[tuple[str, str | None, str], list[JobKey]] = field(default_factory=dict)
    """The candidates of the updates so far, because most updates of a run are of a few jobs."""

    def open(self, job: NewJob) -> None:
        """Add the files without a row; existing rows may have changed since the first delivery, and stay."""
        owner = job_key(job)
        for file in job.files:
            if file.filename not in self.files[owner]:
                progress = _initial(file)
                self.created[FileKey(owner, file.filename)] = file, progress
                self._write(owner, file.filename, progress)

    def update(self, position: int, update: UpdateFile) -> None:
        """Apply the update to the one row that it matches, unless it is stale."""
        owner = self._match(position, update)
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
            self.updated[key] = after
        self._write(owner, update.filename, after)

    def _write(self, job: JobKey, filename: str, progress: FileProgress) -> None:
        self.files[job][filename] = progress
        self.changed[job] = None

    def _match(self, position: int, update: UpdateFile) -> JobKey:
        """The job of the row that the update matches; the update's own collection comes first."""
        named = (update.job_id, update.collection_id, update.granule_id)
        if (possible := self.possible.get(named)) is None:
            possible = self.possible[named] = candidates(update, self._collections)
        jobs = [job for job in possible if update.filename in self.files.get(job, ())]
        if not jobs:
            raise UnmatchedUpdateError(position, "no new_job has named this file", may_come=True)
        if len(jobs) > 1 and update.collection_id is None:
            raise UnmatchedUpdateError(
                position,
                "the update names no collection, and the file is in several collections of this job",
                may_come=False,
            )
        return jobs[0]

    def _collections(self, job_id: str, granule_id: str) -> list[str]:
        jobs = (job for job in self.files if (job.job_id, job.granule_id) == (job_id, granule_id))
        return [job.collection_id for job in jobs]
