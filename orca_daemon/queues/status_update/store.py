"""A run of status messages in one transaction: two round trips, however many messages, jobs and files."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, TextClause, text

from orca_daemon.db.sql import load
from orca_daemon.queues.status_update.rules import (
    FileKey,
    FileProgress,
    JobKey,
    JobState,
    UpdateOutcome,
    candidates,
    fold,
    job_key,
    opening,
)
from orca_daemon.wire.status import NewFile, NewJob, RecoveryStatus, StatusMessage, UpdateFile

_SQL = load(__package__, "statements.sql")
_STATUS = {status.value: status for status in RecoveryStatus}
# Letters as they are: a server whose encoding is none (SQL_ASCII) refuses to read them from escapes.
_json = json.JSONEncoder(ensure_ascii=False).encode


@cache
def _together(*names: str) -> TextClause:
    """Several statements in one round trip; each sees what was committed before it began."""
    return text(";\n".join(_SQL[name].text for name in names))


def apply(connection: Connection, messages: Sequence[StatusMessage], now: datetime) -> UpdateOutcome:
    """Write the whole run, as if its messages came one by one.

    Args:
        connection: in a transaction of its own.
        messages: in order.
        now: the completion time of a job that begins without files.

    Raises:
        UnmatchedUpdateError: an update has no row, or several; nothing may be committed then.
    """
    _prepare(connection)
    # Every change of a granule's files is made under the lock of its job: no roll-up can miss another's.
    jobs, files = _read(connection, _opened(messages), sorted(_meant(connection, messages)), now)
    outcome = fold(messages, files)
    _write(
        connection,
        outcome,
        {job: job_state for job, job_state in outcome.rolled_up.items() if job_state != jobs[job]},
    )
    return outcome


def _prepare(connection: Connection) -> None:
    """Make the statements known to the server, which keeps them as long as the connection."""
    if __name__ not in connection.info:
        connection.execute(_SQL["prepare"])
        connection.info[__name__] = True


def _opened(messages: Iterable[StatusMessage]) -> dict[JobKey, NewJob]:
    """The jobs that begin, each by its first message; sorted, so that two runs never deadlock."""
    first: dict[JobKey, NewJob] = {}
    for message in messages:
        if isinstance(message, NewJob):
            first.setdefault(job_key(message), message)
    return dict(sorted(first.items()))


def _meant(connection: Connection, messages: Sequence[StatusMessage]) -> set[JobKey]:
    """The jobs that the messages can mean."""
    updates = [message for message in messages if isinstance(message, UpdateFile)]
    known = _collections(connection, [update for update in updates if update.collection_id is None])
    meant = {job_key(message) for message in messages if isinstance(message, NewJob)}
    for job in meant:
        if (job.job_id, job.granule_id) in known:
            known[job.job_id, job.granule_id].add(job.collection_id)
    for update in updates:
        meant.update(candidates(update, lambda job_id, granule_id: known[job_id, granule_id]))
    return meant


def _collections(connection: Connection, updates: Sequence[UpdateFile]) -> dict[tuple[str, str], set[str]]:
    """The collections that jobs know these granules in; asked only for updates that name none."""
    known: dict[tuple[str, str], set[str]] = {(update.job_id, update.granule_id): set() for update in updates}
    if known:
        named = [{"job_id": job_id, "granule_id": granule_id} for job_id, granule_id in known]
        for job_id, granule_id, collection_id in connection.execute(
            _SQL["find_collections"], {"granules": _json(named)}
        ):
            known[job_id, granule_id].add(collection_id)
    return known


def _read(
    connection: Connection, opened: Mapping[JobKey, NewJob], meant: Sequence[JobKey], now: datetime
) -> tuple[dict[JobKey, JobState], dict[JobKey, dict[str, FileProgress]]]:
    """Insert the jobs that begin and do not exist; lock those that are meant; read them and their files."""
    parameters = {
        "meant": _json([job._asdict() | {"position": position} for position, job in enumerate(meant)])
    }
    statements = ["plan", "lock_jobs", "read_jobs"]
    if opened:
        parameters["opened"] = _json([_job_row(key, job, now) for key, job in opened.items()])
        statements.insert(1, "insert_jobs")
    jobs: dict[JobKey, JobState] = {}
    files: dict[JobKey, dict[str, FileProgress]] = {}
    rows = connection.execute(_together(*statements), parameters).all()
    for position, job_state, completed, filename, status, updated, ended in rows:
        job = meant[position]
        if job not in jobs:
            jobs[job], files[job] = JobState(_STATUS[job_state], completed), {}
        if filename is not None:
            files[job][filename] = FileProgress(_STATUS[status], updated, ended)
    return jobs, files


def _write(connection: Connection, outcome: UpdateOutcome, rolled_up: Mapping[JobKey, JobState]) -> None:
    rows: dict[str, tuple[str, list[dict[str, object]]]] = {
        "insert_files": ("created", [_new_row(key, *began) for key, began in outcome.created.items()]),
        "move_files": ("moved", [_moved_row(key, progress) for key, progress in outcome.moved.items()]),
        "roll_up": (
            "rolled_up",
            [job._asdict() | _job_state_row(job_state) for job, job_state in rolled_up.items()],
        ),
    }
    if statements := [statement for statement, (_, given) in rows.items() if given]:
        connection.execute(
            _together(*statements), {name: _json(given) for name, given in rows.values() if given}
        )


def _job_row(key: JobKey, job: NewJob, now: datetime) -> dict[str, object]:
    return (
        key._asdict()
        | {"archive": job.archive_destination, "requested": job.request_time.isoformat()}
        | _job_state_row(opening(job, now))
    )


def _job_state_row(job_state: JobState) -> dict[str, object]:
    return {"status": job_state.status.value, "completed": _format_time(job_state.completion_time)}


def _new_row(key: FileKey, file: NewFile, progress: FileProgress) -> dict[str, object]:
    return _moved_row(key, progress) | {
        "path": file.key_path,
        "destination": file.restore_destination,
        "chunk": file.s3_multipart_chunksize_mb,
        "requested": file.request_time.isoformat(),
    }


def _moved_row(key: FileKey, progress: FileProgress) -> dict[str, object]:
    return {
        **key.job._asdict(),
        "filename": key.filename,
        "status": progress.status.value,
        "updated": progress.last_update.isoformat(),
        "completed": _format_time(progress.completion_time),
        "error": progress.error_message,
    }


def _format_time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
