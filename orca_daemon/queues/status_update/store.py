"""A run of status messages in one transaction: two round trips, however many messages, jobs and files."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, TextClause, text

from orca_daemon.db.sql import load
from orca_daemon.queues.status_update.rules import (
    FileKey,
    JobKey,
    Outcome,
    Progress,
    Whole,
    candidates,
    fold,
    job_key,
    opening,
)
from orca_daemon.wire.status import NewJob, RecoveryStatus, StatusMessage, UpdateFile

_SQL = load(__package__, "statements.sql")


@cache
def _together(*names: str) -> TextClause:
    """Several statements in one round trip; each sees what was committed before it began."""
    return text(";\n".join(_SQL[name].text for name in names))


def apply(connection: Connection, messages: Sequence[StatusMessage], now: datetime) -> Outcome:
    """Write the whole run, as if its messages came one by one.

    Args:
        connection: in a transaction of its own.
        messages: in order.
        now: the completion time of a job that begins without files.

    Raises:
        Unplaced: an update has no row, or several; nothing may be committed then.
    """
    # Every change of a granule's files is made under the lock of its job: no roll-up can miss another's.
    jobs, files = _look(connection, _opened(messages), sorted(_meant(connection, messages)), now)
    outcome = fold(messages, files)
    _write(
        connection, outcome, {job: whole for job, whole in outcome.rolled_up.items() if whole != jobs[job]}
    )
    return outcome


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
        named = {"jobs": [job for job, _ in known], "granules": [granule for _, granule in known]}
        for job_id, granule_id, collection_id in connection.execute(_SQL["find_collections"], named):
            known[job_id, granule_id].add(collection_id)
    return known


def _look(
    connection: Connection, opened: Mapping[JobKey, NewJob], meant: Sequence[JobKey], now: datetime
) -> tuple[dict[JobKey, Whole], dict[JobKey, dict[str, Progress]]]:
    """Insert the jobs that begin and do not exist; lock those that are meant; read them and their files."""
    parameters = _keys(meant)
    if opened:
        parameters |= _openings(opened, now)
    jobs: dict[JobKey, Whole] = {}
    files: dict[JobKey, dict[str, Progress]] = {}
    for position, whole, completed, filename, status, updated, ended in connection.execute(
        _together(*(("insert_jobs",) if opened else ()), "lock_jobs", "read_jobs"), parameters
    ):
        job = meant[position - 1]
        if job not in jobs:
            jobs[job], files[job] = Whole(RecoveryStatus(whole), completed), {}
        if filename is not None:
            files[job][filename] = Progress(RecoveryStatus(status), updated, ended)
    return jobs, files


def _openings(opened: Mapping[JobKey, NewJob], now: datetime) -> dict[str, list[object]]:
    begins = [opening(job, now) for job in opened.values()]
    keys = _keys(list(opened))
    return {f"new_{name}": values for name, values in keys.items()} | {
        "archives": [job.archive_destination for job in opened.values()],
        "requested": [job.request_time for job in opened.values()],
        "statuses": [whole.status.value for whole in begins],
        "completed": [whole.completion_time for whole in begins],
    }


def _write(connection: Connection, outcome: Outcome, rolled_up: Mapping[JobKey, Whole]) -> None:
    parts: dict[str, dict[str, list[object]]] = {}
    if outcome.created:
        new = [file for file, _ in outcome.created.values()]
        began = _file_columns("new", {key: progress for key, (_, progress) in outcome.created.items()})
        parts["insert_files"] = began | {
            "new_paths": [file.key_path for file in new],
            "new_chunks": [file.s3_multipart_chunksize_mb for file in new],
            "new_destinations": [file.restore_destination for file in new],
            "new_requested": [file.request_time for file in new],
        }
    if outcome.moved:
        parts["move_files"] = _file_columns("moved", outcome.moved)
    if rolled_up:
        parts["roll_up"] = _keys(list(rolled_up)) | {
            "statuses": [whole.status.value for whole in rolled_up.values()],
            "completed": [whole.completion_time for whole in rolled_up.values()],
        }
    if parts:
        parameters = {name: values for columns in parts.values() for name, values in columns.items()}
        connection.execute(_together(*parts), parameters)


def _keys(keys: Sequence[JobKey]) -> dict[str, list[object]]:
    return {
        "jobs": [key.job_id for key in keys],
        "collections": [key.collection_id for key in keys],
        "granules": [key.granule_id for key in keys],
    }


def _file_columns(prefix: str, files: Mapping[FileKey, Progress]) -> dict[str, list[object]]:
    columns = _keys([key.job for key in files]) | {
        "filenames": [key.filename for key in files],
        "statuses": [progress.status.value for progress in files.values()],
        "updated": [progress.last_update for progress in files.values()],
        "completed": [progress.completion_time for progress in files.values()],
        "errors": [progress.error_message for progress in files.values()],
    }
    return {f"{prefix}_{name}": values for name, values in columns.items()}
