"""The progress of files, posted to the status-update queue."""

from datetime import UTC, datetime
from typing import Protocol

from orca_daemon.aws.publisher import Publisher
from orca_daemon.engine.errors import Reject
from orca_daemon.wire.status import RecoveryStatus, UpdateFile
from orca_daemon.wire.texts import storable
from orca_daemon.wire.wire_model import MalformedError, make

LONGEST = 1000
"""Characters of an error message: it is a sentence."""


class FileOfJob(Protocol):
    """Whatever names a file of a job: a row of the tables, or a message."""

    @property
    def job_id(self) -> str: ...  # noqa: D102  as in `recovery_file`
    @property
    def collection_id(self) -> str | None: ...  # noqa: D102
    @property
    def granule_id(self) -> str: ...  # noqa: D102
    @property
    def filename(self) -> str: ...  # noqa: D102


class StatusReporter:
    """Posts what became of a file.  Raises as `Publisher.post` does, and `Reject` as `update` does."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def staged(self, file: FileOfJob) -> None:
        """Its copy was accepted."""
        await self._publisher.post(update(file, RecoveryStatus.STAGED, datetime.now(UTC)))

    async def succeeded(self, file: FileOfJob) -> None:
        """It is where it was wanted."""
        await self._publisher.post(update(file, RecoveryStatus.SUCCESS, datetime.now(UTC)))

    async def failed(self, file: FileOfJob, reason: str) -> None:
        """It was given up, for this reason."""
        await self._publisher.post(update(file, RecoveryStatus.FAILED, datetime.now(UTC), reason))


def update(file: FileOfJob, status: RecoveryStatus, now: datetime, error: str | None = None) -> UpdateFile:
    """The message; only final statuses have a completion time (contract 1.3.3).

    Raises:
        Reject: no message can be about this file: its names are longer than the reader of the queue takes.
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
