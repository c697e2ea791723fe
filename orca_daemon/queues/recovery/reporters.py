"""Posts the progress of files to the status-update queue, and their final status if a message is given up."""

import re
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from orca_daemon.aws.publisher import Publisher
from orca_daemon.aws.s3copy import Copier, S3Object
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import Reject
from orca_daemon.engine.message import Envelope
from orca_daemon.queues.recovery.targets import Row, is_restore, of_object, parts_of
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.recovery import RecoveryMessage, file_of
from orca_daemon.wire.status import RecoveryStatus, UpdateFile
from orca_daemon.wire.texts import storable
from orca_daemon.wire.wire_model import MalformedError, make

LONGEST = 1000
"""Characters of an error message: it is one sentence."""
_log: Any = structlog.get_logger()


class FileOfJob(Protocol):
    """The names of a file of a job; a row of the tables has them, and a message."""

    @property
    def job_id(self) -> str: ...  # noqa: D102  as in `recovery_file`
    @property
    def collection_id(self) -> str | None: ...  # noqa: D102
    @property
    def granule_id(self) -> str: ...  # noqa: D102
    @property
    def filename(self) -> str: ...  # noqa: D102


class StatusReporter:
    """Posts the status of a file.  Raises the errors of `Publisher.post`, and `Reject` as `update` does."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def staged(self, file: FileOfJob) -> None:
        """Report that the file is readable and its copy begins."""
        await self._publisher.post(update(file, RecoveryStatus.STAGED, datetime.now(UTC)))

    async def succeeded(self, file: FileOfJob) -> None:
        """Report that the file is at its destination."""
        await self._publisher.post(update(file, RecoveryStatus.SUCCESS, datetime.now(UTC)))

    async def failed(self, file: FileOfJob, reason: str) -> None:
        """Report that the file was given up, for this reason."""
        await self._publisher.post(update(file, RecoveryStatus.FAILED, datetime.now(UTC), reason))


def update(file: FileOfJob, status: RecoveryStatus, now: datetime, error: str | None = None) -> UpdateFile:
    """The message to post; only final statuses have a completion time (contract 1.3.3).

    Raises:
        Reject: the names of the file are longer than the reader of the queue accepts.
    """
    final = status in {RecoveryStatus.SUCCESS, RecoveryStatus.FAILED}
    failed = status is RecoveryStatus.FAILED
    try:
        return make(
            UpdateFile,
            "update_file",
            job_id=file.job_id,
            collection_id=file.collection_id,
            granule_id=file.granule_id,
            filename=file.filename,
            last_update=now,
            status=status,
            completion_time=now if final else None,
            error_message=storable(error or "no reason is known")[:LONGEST] if failed else None,
        )
    except MalformedError as problem:
        raise Reject(f"its progress cannot be posted: {problem}") from None


class FailureReporter:
    """Posts FAILED for every open row of a message that is given up, or SUCCESS if the object arrived."""

    def __init__(
        self, copier: Copier, status_reporter: StatusReporter, database: Database | None, rules: CopyRules
    ) -> None:
        self._copier, self._status_reporter = copier, status_reporter
        self._database, self._rules = database, rules

    async def __call__(self, message: RecoveryMessage | None, envelope: Envelope, reason: str, /) -> None:
        """Close all rows of a message; `reason` is for operators."""
        if isinstance(message, CopyRequest):
            await self._close(*parts_of(message), reason)
        elif message is not None:
            restored = [record for record in message.records if is_restore(record.name)]
            for source in dict.fromkeys(S3Object(record.bucket, record.key) for record in restored):
                await self._close_all(source, reason)
        elif file := file_of(envelope.body):
            await _posted(self._status_reporter.failed(file, sentence(reason)))

    async def _close_all(self, source: S3Object, reason: str) -> None:
        if self._database is None:
            return
        waiting = [row for row in await self._database.transact(of_object, source) if row.open]
        if not waiting or await self._restoring(source):
            return
        for row in waiting:
            await self._close(source, S3Object(row.destination, source.key), row, reason)

    async def _close(self, source: S3Object, target: S3Object, row: Row, reason: str) -> None:
        # It may have arrived: by another record of the same message, or by an attempt whose SUCCESS could not
        # be posted.
        if await self._arrived(source, target):
            await _posted(self._status_reporter.succeeded(row))
        else:
            await _posted(self._status_reporter.failed(row, sentence(reason)))

    async def _restoring(self, source: S3Object) -> bool:
        """Whether the restore is still running: then S3 will send another event when it is completed."""
        if self._rules.source_refusal(source.bucket):
            return False
        try:
            return (await self._copier.head(source)).restoring
        except Exception:  # noqa: BLE001  the same error may be why the message was given up
            return False

    async def _arrived(self, source: S3Object, target: S3Object) -> bool:
        if self._rules.refusal(source.bucket, target.bucket):
            return False
        try:
            return await self._copier.holds(source, target)
        except Exception:  # noqa: BLE001  without proof that it arrived, report that it failed
            return False


async def _posted(posting: Coroutine[Any, Any, None]) -> None:
    """Post an update; if it can never be posted, log that, so that the message can be dead-lettered."""
    try:
        await posting
    except Reject as error:
        _log.error("recovery.not_posted", reason=str(error))


def sentence(reason: str) -> str:
    """The reason for operators: without the name of our exception class."""
    return re.sub(r"^(CopyError|Refused|SourceChangedError|VerificationError): ", "", reason)
