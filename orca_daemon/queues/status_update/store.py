"""A run of status messages in one transaction: a few statements, however many messages, jobs and files."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from orca_daemon.db.sql import load
from orca_daemon.queues.status_update.rules import (
    FileKey,
    JobKey,
    Outcome,
    Progress,
    candidates,
    fold,
    job_key,
    opening,
)
from orca_daemon.wire.status import NewJob, RecoveryStatus, StatusMessage, UpdateFile

_SQL = load(__package__, "statements.sql")


def apply(connection: Connection, messages: Sequence[StatusMessage], now: datetime) -> Outcome:
    """Write the whole run, as if its messages came one by one.

    Args:
        connection: in a transaction of its own.
        messages: in order.
        now: the completion time of a job that begins without files.

    Raises:
        Unplaced: an update has no row, or several; nothing may be committed then.
    """
    opened = _insert_jobs(connection, [job for job in messages if isinstance(job, NewJob)], now)
    wanted = _wanted(connection, messages) - {key for key in _new_files(messages) if key.job in opened}
    # Every change of a granule's files is made under the lock of its job: no roll-up can miss another's.
    _lock(connection, {key.job for key in wanted} - opened)
    outcome = fold(messages, _read(connection, wanted))
    _insert_files(connection, outcome)
    _move_files(connection, outcome.moved)
    _roll_up(connection, outcome.jobs)
    return outcome


def _insert_jobs(connection: Connection, jobs: Iterable[NewJob], now: datetime) -> set[JobKey]:
    """Insert the jobs that do not exist, sorted so that two runs never deadlock; answers which these were."""
    first: dict[JobKey, NewJob] = {}
    for job in jobs:
        first.setdefault(job_key(job), job)
    if not first:
        return set()
    ordered = sorted(first.items())
    openings = [opening(job, now) for _, job in ordered]
    inserted = connection.execute(
        _SQL["insert_jobs"],
        _columns([key for key, _ in ordered])
        | {
            "archives": [job.archive_destination for _, job in ordered],
            "requested": [job.request_time for _, job in ordered],
            "statuses": [status.value for status, _ in openings],
            "completed": [completed for _, completed in openings],
        },
    )
    return {JobKey(*row) for row in inserted}


def _wanted(connection: Connection, messages: Sequence[StatusMessage]) -> set[FileKey]:
    """The files that the messages can mean, those of new jobs included."""
    updates = [message for message in messages if isinstance(message, UpdateFile)]
    known = _collections(connection, [update for update in updates if update.collection_id is None])
    for message in messages:
        if isinstance(message, NewJob) and (message.job_id, message.granule_id) in known:
            known[message.job_id, message.granule_id].add(job_key(message).collection_id)
    wanted = set(_new_files(messages))
    for update in updates:
        for job in candidates(update, lambda job_id, granule_id: known[job_id, granule_id]):
            wanted.add(FileKey(job, update.filename))
    return wanted


def _collections(connection: Connection, updates: Sequence[UpdateFile]) -> dict[tuple[str, str], set[str]]:
    """The collections that jobs know these granules in; asked only for updates that name none."""
    known: dict[tuple[str, str], set[str]] = {(update.job_id, update.granule_id): set() for update in updates}
    if known:
        named = {"jobs": [job for job, _ in known], "granules": [granule for _, granule in known]}
        for job_id, granule_id, collection_id in connection.execute(_SQL["find_collections"], named):
            known[job_id, granule_id].add(collection_id)
    return known


def _new_files(messages: Iterable[StatusMessage]) -> Iterable[FileKey]:
    for message in messages:
        if isinstance(message, NewJob):
            owner = job_key(message)
            yield from (FileKey(owner, file.filename) for file in message.files)


def _lock(connection: Connection, jobs: Iterable[JobKey]) -> None:
    if ordered := sorted(jobs):
        connection.execute(_SQL["lock_jobs"], _columns(ordered))


def _read(connection: Connection, wanted: Iterable[FileKey]) -> dict[FileKey, Progress]:
    if not (keys := sorted(wanted)):
        return {}
    rows = connection.execute(_SQL["read_files"], _file_columns(keys))
    return {
        FileKey(JobKey(job, collection, granule), filename): Progress(RecoveryStatus(status), updated)
        for job, collection, granule, filename, status, updated in rows
    }


def _insert_files(connection: Connection, outcome: Outcome) -> None:
    if not outcome.created:
        return
    keys = list(outcome.created)
    files = [file for file, _ in outcome.created.values()]
    connection.execute(
        _SQL["insert_files"],
        _file_columns(keys)
        | _progress_columns([progress for _, progress in outcome.created.values()])
        | {
            "paths": [file.key_path for file in files],
            "chunks": [file.s3_multipart_chunksize_mb for file in files],
            "destinations": [file.restore_destination for file in files],
            "requested": [file.request_time for file in files],
        },
    )


def _move_files(connection: Connection, moved: Mapping[FileKey, Progress]) -> None:
    if moved:
        columns = _file_columns(list(moved)) | _progress_columns(list(moved.values()))
        connection.execute(_SQL["move_files"], columns)


def _roll_up(connection: Connection, jobs: Iterable[JobKey]) -> None:
    if keys := list(jobs):
        connection.execute(_SQL["roll_up"], _columns(keys))


def _columns(keys: Sequence[JobKey]) -> dict[str, list[object]]:
    return {
        "jobs": [key.job_id for key in keys],
        "collections": [key.collection_id for key in keys],
        "granules": [key.granule_id for key in keys],
    }


def _file_columns(keys: Sequence[FileKey]) -> dict[str, list[object]]:
    return _columns([key.job for key in keys]) | {"filenames": [key.filename for key in keys]}


def _progress_columns(progress: Sequence[Progress]) -> dict[str, list[object]]:
    return {
        "statuses": [each.status.value for each in progress],
        "updated": [each.last_update for each in progress],
        "completed": [each.completion_time for each in progress],
        "errors": [each.error_message for each in progress],
    }
