"""Reports a message that was given up: posts a final status, once, for every row that waits for its
objects.
"""

import re
from collections.abc import Coroutine
from typing import Any

import structlog

from orca_daemon.aws.s3copy import Copier, S3Object
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import Reject
from orca_daemon.engine.message import Envelope
from orca_daemon.queues.recovery.rows import Row, of_object
from orca_daemon.queues.recovery.shapes import is_restore, parts_of
from orca_daemon.queues.recovery.status_reporter import StatusReporter
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.recovery import RecoveryMessage, file_of

_log: Any = structlog.get_logger()


class FailureReporter:
    """Posts FAILED for every waiting row, and SUCCESS if the object has arrived after all."""

    def __init__(
        self, copier: Copier, status_reporter: StatusReporter, database: Database | None, rules: CopyRules
    ) -> None:
        self._copier, self._status_reporter, self._database, self._rules = (
            copier,
            status_reporter,
            database,
            rules,
        )

    async def __call__(self, message: RecoveryMessage | None, envelope: Envelope, reason: str, /) -> None:
        """Close all rows of a message; `reason` is for operators."""
        if isinstance(message, CopyRequest):
            await self._close(*parts_of(message), reason)
        elif message is not None:
            restored = [record for record in message.records if is_restore(record.name)]
            for place in dict.fromkeys(S3Object(record.bucket, record.key) for record in restored):
                await self._close_all(place, reason)
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
        # A neighbour in the same message, or an attempt whose news did not get through.
        if await self._arrived(source, target):
            await _posted(self._status_reporter.succeeded(row))
        else:
            await _posted(self._status_reporter.failed(row, sentence(reason)))

    async def _restoring(self, source: S3Object) -> bool:
        """Whether the restore is still running: then its completion is still to come, in its own message."""
        if self._rules.source_refusal(source.bucket):
            return False
        try:
            return (await self._copier.head(source)).restoring
        except Exception:  # noqa: BLE001  that may be why the message was given up
            return False

    async def _arrived(self, source: S3Object, target: S3Object) -> bool:
        if self._rules.refusal(source.bucket, target.bucket):
            return False
        try:
            return await self._copier.holds(source, target)
        except Exception:  # noqa: BLE001  what cannot be shown to be there has not arrived
            return False


async def _posted(posting: Coroutine[Any, Any, None]) -> None:
    """Post an update; one that can never be posted must not keep the message that it is about."""
    try:
        await posting
    except Reject as error:
        _log.error("recovery.not_posted", reason=str(error))


def sentence(reason: str) -> str:
    """The reason as operators read it: without the name of our class."""
    return re.sub(r"^(CopyError|Refused|SourceChangedError|VerificationError): ", "", reason)
