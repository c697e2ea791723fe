"""Writes a run of status messages in one transaction: two round trips for any number of messages."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, TextClause, text

from orca_daemon.db.sql import as_json, load
from orca_daemon.queues.status_update.rules import (
    FileKey,
    FileProgress,
    JobKey,
    JobState,
    StoredFiles,
    UpdateOutcome,
    candidates,
    fold,
    job_key,
    named,
    opening,
)
from orca_daemon.wire.status import NewFile, NewJob, RecoveryStatus, StatusMessage, UpdateFile

_SQL = load(__package__, "statements.sql")
_STATUS = {status.value: status for status in RecoveryStatus}


@cache
def _joined(*names: str) -> TextClause:
    """Several statements for one round trip; each sees what was committed before it started."""
    return text(";\n".join(_SQL[name].text for name in names))


def apply(connection: Connection, messages: Sequence[StatusMessage], now: datetime) -> UpdateOutcome:
    """Write the whole run, with the same result as if its messages came one by one.

    Args:
        connection: in a transaction of its own.
        messages: in order.
        now: the completion time of a new job without files.

    Raises:
        UnmatchedUpdateError: an update matches no row, or several; the caller must roll back.
    """
    _prepare(connection)
    # Each run locks the jobs whose files it changes, so a roll-up sees every change of earlier transactions.
    names = named(messages)
    affected = {job: names[job.job_id, job.granule_id] for job in sorted(_affected(connection, messages))}
    jobs, files = _lock_and_read(connection, _opened(messages), affected, now)
    outcome = fold(messages, files)
    _write(
        connection,
        outcome,
        {job: job_state for job, job_state in outcome.rolled_up.items() if job_state != jobs[job]},
    )
    return outcome


def _prepare(connection: Connection) -> None:
    """Prepare the statements, once for each connection."""
    if __name__ not in connection.info:
        connection.execute(_SQL["prepare"])
        connection.info[__name__] = True


def _opened(messages: Iterable[StatusMessage]) -> dict[JobKey, NewJob]:
    """The jobs that the run opens, each with its first message; sorted, so that two runs never deadlock."""
    first: dict[JobKey, NewJob] = {}
    for message in messages:
        if isinstance(message, NewJob):
            first.setdefault(job_key(message), message)
    return dict(sorted(first.items()))


def _affected(connection: Connection, messages: Sequence[StatusMessage]) -> set[JobKey]:
    """The jobs that the messages may refer to."""
    updates = [message for message in messages if isinstance(message, UpdateFile)]
    collections = _collections(connection, [update for update in updates if update.collection_id is None])
    affected = {job_key(message) for message in messages if isinstance(message, NewJob)}
    for job in affected:
        if (job.job_id, job.granule_id) in collections:
            collections[job.job_id, job.granule_id].add(job.collection_id)
    # One update for each job and collection that they name: as a rule a few, for a hundred updates.
    for update in {(one.job_id, one.collection_id, one.granule_id): one for one in updates}.values():
        affected.update(candidates(update, lambda job_id, granule_id: collections[job_id, granule_id]))
    return affected


def _collections(connection: Connection, updates: Sequence[UpdateFile]) -> dict[tuple[str, str], set[str]]:
    """The collections of the stored jobs, by job id and granule id, for updates that name no collection."""
    collections: dict[tuple[str, str], set[str]] = {
        (update.job_id, update.granule_id): set() for update in updates
    }
    if collections:
        granules = [{"job_id": job_id, "granule_id": granule_id} for job_id, granule_id in collections]
        for job_id, granule_id, collection_id in connection.execute(
            _SQL["find_collections"], {"granules": as_json(granules)}
        ):
            collections[job_id, granule_id].add(collection_id)
    return collections


def _lock_and_read(
    connection: Connection,
    opened: Mapping[JobKey, NewJob],
    affected: Mapping[JobKey, set[str]],
    now: datetime,
) -> tuple[dict[JobKey, JobState], dict[JobKey, StoredFiles]]:
    """Insert the opened jobs that do not exist, lock the affected jobs, and read them with their files.

    Args:
        connection: in the transaction.
        opened: the jobs that the run opens.
        affected: the names that the run gives to files of each job, in the order in which jobs are locked.
        now: the completion time of a new job without files.
    """
    keys = list(affected)
    parameters = {"affected": as_json([_affected_row(*row) for row in enumerate(affected.items())])}
    statements = ["plan", "lock_jobs", "read_jobs"]
    if opened:
        parameters["opened"] = as_json([_job_row(key, job, now) for key, job in opened.items()])
        statements.insert(1, "insert_jobs")
    jobs: dict[JobKey, JobState] = {}
    files: dict[JobKey, StoredFiles] = {}
    for row in connection.execute(_joined(*statements), parameters):
        position, status, completed, filename, updated, lowest, latest = row
        job = keys[position]
        if filename is None:
            jobs[job] = JobState(_STATUS[status], completed)
            files[job] = StoredFiles({}, None if lowest is None else JobState(_STATUS[lowest], latest))
        else:
            files[job].named[filename] = FileProgress(_STATUS[status], updated, completed)
    return jobs, files


def _affected_row(position: int, job: tuple[JobKey, set[str]]) -> dict[str, object]:
    key, names = job
    return key._asdict() | {"position": position, "names": dict.fromkeys(sorted(names))}


def _write(connection: Connection, outcome: UpdateOutcome, rolled_up: Mapping[JobKey, JobState]) -> None:
    rows: dict[str, tuple[str, list[dict[str, object]]]] = {
        "insert_files": ("created", [_new_row(key, *created) for key, created in outcome.created.items()]),
        "update_files": (
            "updated",
            [_updated_row(key, progress) for key, progress in outcome.updated.items()],
        ),
        "roll_up": (
            "rolled_up",
            [job._asdict() | _job_state_row(job_state) for job, job_state in rolled_up.items()],
        ),
    }
    if statements := [statement for statement, (_, values) in rows.items() if values]:
        connection.execute(
            _joined(*statements), {name: as_json(values) for name, values in rows.values() if values}
        )


def _job_row(key: JobKey, job: NewJob, now: datetime) -> dict[str, object]:
    return (
        key._asdict()
        | {"archive": job.archive_destination, "requested": job.request_time}
        | _job_state_row(opening(job, now))
    )


def _job_state_row(job_state: JobState) -> dict[str, object]:
    return {"status": job_state.status.value, "completed": job_state.completion_time}


def _new_row(key: FileKey, file: NewFile, progress: FileProgress) -> dict[str, object]:
    return _updated_row(key, progress) | {
        "path": file.key_path,
        "destination": file.restore_destination,
        "chunk": file.s3_multipart_chunksize_mb,
        "requested": file.request_time,
    }


def _updated_row(key: FileKey, progress: FileProgress) -> dict[str, object]:
    return {
        **key.job._asdict(),
        "filename": key.filename,
        "status": progress.status.value,
        "updated": progress.last_update,
        "completed": progress.completion_time,
        "error": progress.error_message,
    }
