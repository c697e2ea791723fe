"""Recovering again: the open files of a job, the state of their objects, and new copy requests."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from orca_daemon.aws.clients import connect
from orca_daemon.aws.s3copy import ObjectHead, ObjectMissingError, S3Object, head_object
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError
from orca_daemon.aws.s3copy.window import Window
from orca_daemon.db import jobs
from orca_daemon.db.jobs import OPEN, File
from orca_daemon.engine.backoff import Backoff
from orca_daemon.operations.database import database
from orca_daemon.operations.destinations import Destinations, sentence
from orca_daemon.operations.errors import NotFoundError
from orca_daemon.operations.jobs import find_job, job_not_found
from orca_daemon.operations.sending import sqs_client
from orca_daemon.producer.batch import Sent, send_batch
from orca_daemon.settings import Settings
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire.copy import CopyRequest, copy_message
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.status import RecoveryStatus
from orca_daemon.wire.wire_model import MalformedError, make

HEADS_AT_ONCE = 16
"""Objects that are read at one time."""


class FileState(Enum):
    """What can be done about a file, according to its object in the archive and the bucket of its copy."""

    READY = "can be copied"
    RESTORING = "is being restored; wait"
    ARCHIVED = "is archived; restore it first"
    MISSING = "does not exist"
    UNKNOWN = "cannot be read"
    NO_DESTINATION = "its destination does not exist"
    REFUSED = "cannot be requested"


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file, and the state of its object."""

    file: File
    file_state: FileState
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """The files of a job that are candidates for a recovery."""

    job_id: str
    """Its whole id."""
    files: list[CheckedFile]
    left_out: int
    """Number of failed files that are not included."""
    copied: int = 0
    """If there are no files, the number of those with the name that was asked for that are copied."""
    unknown_destinations: Mapping[str, str] = field(default_factory=dict)
    """Buckets of which S3 did not tell whether they exist, with the reason; their files may be READY."""


async def check_open_files(
    settings: Settings,
    job_id: str,
    *,
    granule: str | None = None,
    filename: str | None = None,
    failed: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> OpenFiles:
    """Read the state of the objects of a job's open files; of its failed files as well, if `failed`.

    S3 is asked once for each object, and once for each bucket that their copies go to.

    Args:
        settings: of the database, of AWS, and of the buckets that may be copied.
        job_id: the job, as `find_job` takes it.
        granule: only this granule.
        filename: only files of this name.
        failed: include the files that failed.
        progress: called with the number of objects read so far, and the number of all.

    Raises:
        NotFoundError: the job does not exist, does not have this granule or file, or is not the only one.
        AddressError, DependencyDown, PostgresError: the database cannot be read.
        SettingsError: AWS is not set up.
        botocore.exceptions.BotoCoreError: S3 cannot be reached.
    """
    statuses = (*OPEN, RecoveryStatus.FAILED)
    async with database(settings) as opened:
        job_id = await find_job(opened, job_id)
        granules = await opened.transact(jobs.granules, job_id, granule=granule)
        chosen = partial(jobs.files, granule=granule, filename=filename)
        rows = await opened.transact(chosen, job_id, statuses=statuses)
        copied = [] if filename is None or rows else await opened.transact(chosen, job_id)
    if not granules:
        raise job_not_found(job_id, granule)
    if filename is not None and not (rows or copied):
        raise NotFoundError(f"job {job_id} has no file {filename}")
    files = [file for file in rows if failed or file.status is not RecoveryStatus.FAILED]
    if not files:
        return OpenFiles(job_id, [], left_out=len(rows), copied=len(copied))
    checked, unknown = await _check(settings, job_id, files, progress)
    return OpenFiles(job_id, checked, len(rows) - len(files), unknown_destinations=unknown)


def post_copy_requests(
    settings: Settings, job_id: str, files: Sequence[File], queue_url: str
) -> Iterator[Sent]:
    """Post a copy request for each file, lazily and in order; yields the result of each.

    Raises:
        SettingsError: AWS is not set up.
    """
    requests = (copy_request(file, job_id) for file in files)
    return send_batch(requests, queue_url, client=sqs_client(settings, queue_url))


def copy_request(file: File, job_id: str) -> Outgoing:
    """The copy request of a file, as it was when its restore completed.

    Raises:
        MalformedError: the daemon would reject it.
    """
    request = make(
        CopyRequest,
        "copy request",
        job_id=job_id,
        collection_id=file.collection_id,
        granule_id=file.granule_id,
        filename=file.filename,
        restore_destination=file.restore_destination,
        s3_multipart_chunksize_mb=file.multipart_chunksize_mb,
        source_key=file.key_path,
        target_key=file.key_path,
        source_bucket=file.archive_destination,
    )
    return copy_message(request)


def file_state(head: ObjectHead) -> FileState:
    """What the answer to HeadObject means for a copy."""
    if head.restoring:
        return FileState.RESTORING
    return FileState.ARCHIVED if head.archived else FileState.READY


def refusal(file: File, job_id: str, rules: CopyRules) -> str | None:
    """Why the daemon would reject the copy request of this file; None if it would accept it."""
    try:
        copy_request(file, job_id)
    except MalformedError as error:
        return str(error)
    return rules.refusal(file.archive_destination, file.restore_destination)


async def _check(
    settings: Settings, job_id: str, files: Sequence[File], progress: Callable[[int, int], None]
) -> tuple[list[CheckedFile], Mapping[str, str]]:
    rules, done = CopyRules.of(settings), 0

    async def check(file: File) -> CheckedFile:
        nonlocal done
        checked = await check_file(destinations, rules, file, job_id)
        done += 1
        progress(done, len(files))
        return checked

    async with connect(settings) as clients:
        requests = Requests(clients.s3, window=Window.up_to(HEADS_AT_ONCE), tries=5, backoff=Backoff())
        destinations = Destinations(requests)
        return await asyncio.gather(*(check(file) for file in files)), destinations.unknown


async def check_file(destinations: Destinations, rules: CopyRules, file: File, job_id: str) -> CheckedFile:
    """The state of a file's object; raises the error of a client if S3 does not answer."""
    if reason := refusal(file, job_id, rules):
        return CheckedFile(file, FileState.REFUSED, reason)
    checked = await _head(destinations.requests, file)
    bucket = file.restore_destination
    if checked.file_state is FileState.READY and await destinations.is_missing(bucket):
        return CheckedFile(file, FileState.NO_DESTINATION, sentence(bucket))
    return checked


async def _head(requests: Requests, file: File) -> CheckedFile:
    try:
        head = await head_object(requests, S3Object(file.archive_destination, file.key_path))
    except ObjectMissingError:
        return CheckedFile(file, FileState.MISSING)
    except S3RequestError as failure:
        # Without an answer nothing is known of any file: the operation fails, not this file.
        if not failure.answered:
            raise failure.error from failure
        return CheckedFile(file, FileState.UNKNOWN, str(failure))
    return CheckedFile(file, file_state(head))
