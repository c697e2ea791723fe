"""The progress of files, posted to the status-update queue."""

from datetime import UTC, datetime

from orca_daemon.aws.publisher import Publisher
from orca_daemon.queues.recovery.rows import Row
from orca_daemon.wire.status import RecoveryStatus, UpdateFile

LONGEST = 1000
"""Characters of an error message: it is a sentence, and the queue's messages are limited."""


class Postbox:
    """Posts what became of a file."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def staged(self, row: Row) -> None:
        """Its copy was accepted."""
        await self._publisher.post(update(row, RecoveryStatus.STAGED, datetime.now(UTC)))

    async def succeeded(self, row: Row) -> None:
        """It is where it was wanted."""
        await self._publisher.post(update(row, RecoveryStatus.SUCCESS, datetime.now(UTC)))

    async def failed(self, row: Row, reason: str) -> None:
        """It was given up, for this reason."""
        await self._publisher.post(update(row, RecoveryStatus.FAILED, datetime.now(UTC), reason))


def update(row: Row, status: RecoveryStatus, now: datetime, error: str | None = None) -> UpdateFile:
    """The message; only final statuses have a completion time (contract 1.3.3)."""
    final = status in {RecoveryStatus.SUCCESS, RecoveryStatus.FAILED}
    return UpdateFile(
        job_id=row.job_id,
        collection_id=row.collection_id,
        granule_id=row.granule_id,
        filename=row.filename,
        last_update=now,
        status=status,
        completion_time=now if final else None,
        error_message=(error or "no reason is known")[:LONGEST] if status is RecoveryStatus.FAILED else None,
    )
