"""Open files of a recovery, and the state of their objects in the archive."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from orca_daemon.cli.progress import counted
from orca_daemon.settings import Settings
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire.copy import CopyRequest, copy_message
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.status import RecoveryStatus
from orca_daemon.wire.wire_model import MalformedError, make

if TYPE_CHECKING:
    from orca_daemon.aws.s3copy import ObjectHead
    from orca_daemon.aws.s3copy.requests import Requests
    from orca_daemon.db.jobs import File

_AT_ONCE = 16


class FileState(Enum):
    """What can be done about a file, as its object in the archive shows."""

    READY = "can be copied"
    RESTORING = "is being restored; wait"
    ARCHIVED = "is archived; ask for its restore first"
    MISSING = "does not exist"
    UNKNOWN = "cannot be looked at"
    REFUSED = "cannot be asked for"


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file, and what its object shows."""

    file: "File"
    file_state: FileState
    reason: str | None = None


def file_state(facts: "ObjectHead") -> FileState:
    """What the answer to HeadObject means for a copy."""
    if facts.restoring:
        return FileState.RESTORING
    return FileState.ARCHIVED if facts.archived else FileState.READY


def request(file: "File", job_id: str) -> Outgoing:
    """The copy request of a file, as it was when its restore completed.

    Raises:
        MalformedError: the daemon would reject it.
    """
    asked = make(
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
    return copy_message(asked)


def refusal(file: "File", job_id: str, rules: CopyRules) -> str | None:
    """Why the daemon would reject the copy request of this file; None where it would not."""
    try:
        request(file, job_id)
    except MalformedError as error:
        return str(error)
    return rules.refusal(file.archive_destination, file.restore_destination)


async def check_files(
    settings: Settings,
    job_id: str,
    granule: str | None,
    statuses: Sequence[RecoveryStatus],
    *,
    quiet: bool = False,
) -> tuple[int, list[CheckedFile]]:
    """Look at the objects of a job's files that have one of these statuses; unless `quiet`, with a bar.

    Returns:
        The number of the job's granules, none when there is no such job; and what was found.
    """
    from orca_daemon.aws.clients import connect
    from orca_daemon.aws.s3copy.requests import Requests
    from orca_daemon.cli.connections import database
    from orca_daemon.db import jobs
    from orca_daemon.engine.backoff import Backoff

    async with database(settings) as db:
        granules = await db.transact(jobs.granules, job_id, granule=granule)
        files = await db.transact(jobs.files, job_id, granule=granule, statuses=statuses)
    if not files:
        return len(granules), []
    refusals = [refusal(file, job_id, CopyRules.of(settings)) for file in files]
    async with connect(settings) as clients:
        requests = Requests(clients.s3, limit=_AT_ONCE, tries=5, backoff=Backoff())
        with counted("looking at objects", len(files), quiet=quiet) as seen:
            checks = (
                _check_file(requests, file, refused, seen)
                for file, refused in zip(files, refusals, strict=True)
            )
            return len(granules), await asyncio.gather(*checks)


async def _check_file(
    requests: "Requests", file: "File", refused: str | None, seen: Callable[[], None]
) -> CheckedFile:
    checked = CheckedFile(file, FileState.REFUSED, refused) if refused else await _head(requests, file)
    seen()
    return checked


async def _head(requests: "Requests", file: "File") -> CheckedFile:
    from orca_daemon.aws.s3copy import ObjectMissingError, S3Object
    from orca_daemon.aws.s3copy import head_object as head
    from orca_daemon.aws.s3copy.requests import S3RequestError

    try:
        return CheckedFile(
            file, file_state(await head(requests, S3Object(file.archive_destination, file.key_path)))
        )
    except ObjectMissingError:
        return CheckedFile(file, FileState.MISSING)
    except S3RequestError as failure:
        if not failure.answered:
            raise failure.error from failure
        return CheckedFile(file, FileState.UNKNOWN, str(failure))
