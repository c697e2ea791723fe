"""What a restore posts: new jobs and failures to the status queue, readable objects to the recovery queue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from orca_daemon.aws.publisher import Publisher
from orca_daemon.db.restores import RestoreRow
from orca_daemon.queues.recovery.reporters import update
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing, dump
from orca_daemon.wire.restore import RestoreGranule
from orca_daemon.wire.restore_outcome import FileOutcome, file_document
from orca_daemon.wire.status import Grouping, RecoveryStatus, RequestMethod, job_document, outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """The names of a file of a job."""

    job_id: str
    collection_id: str | None
    granule_id: str
    filename: str

    @classmethod
    def of(cls, job: str, row: RestoreRow) -> "NamedFile":
        """The file of this row."""
        name = row.name
        return cls(
            job_id=job, collection_id=name.collection_id, granule_id=name.granule_id, filename=name.filename
        )


class Posts:
    """Posts the progress of one deployment's restores.  Raises the errors of `Publisher.send`."""

    def __init__(self, status: Publisher, recovery: Publisher) -> None:
        self._status, self._recovery = status, recovery

    async def job(
        self,
        job: str,
        granule: RestoreGranule,
        archive: str,
        requested: datetime,
        files: Sequence[FileOutcome],
    ) -> None:
        """Post the granule's new job, in as many messages as its files need.

        Posting it again changes nothing: the status queue's reader leaves rows alone that exist.
        """
        messages = job_messages(job, granule, archive, requested, files, self._status.grouping)
        for message in messages:
            await self._status.send(message)

    async def failed(self, job: str, row: RestoreRow, reason: str, now: datetime) -> None:
        """Post that a file will not come."""
        await self._status.post(update(NamedFile.of(job, row), RecoveryStatus.FAILED, now, reason))

    async def pending(self, job: str, row: RestoreRow, now: datetime) -> None:
        """Post that a file that was reported as failed is asked for again."""
        await self._status.post(update(NamedFile.of(job, row), RecoveryStatus.PENDING, now))

    async def readable(self, row: RestoreRow) -> None:
        """Announce an object that can be copied now, as ORCA does."""
        await self._recovery.send(event(row.archive, row.key))


def event(bucket: str, key: str) -> Outgoing:
    """ORCA's own event for an object that was restored before: the key is not encoded (contract 13)."""
    return Outgoing(body=dump({"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]}))


def job_messages(
    job: str,
    granule: RestoreGranule,
    archive: str,
    requested: datetime,
    files: Sequence[FileOutcome],
    grouping: Grouping,
) -> Iterator[Outgoing]:
    """The new job in messages that a queue takes, each with as many of the files as fit; one has none."""

    def message(documents: Sequence[dict[str, object]]) -> Outgoing:
        document = job_document(
            job_id=job,
            collection_id=granule.collection_id,
            granule_id=granule.granule_id,
            request_time=requested,
            archive_destination=archive,
            files=documents,
        )
        return outgoing(document, RequestMethod.NEW_JOB, grouping=grouping)

    room = LARGEST_MESSAGE - message([]).size
    part: list[dict[str, object]] = []
    used = 0
    for file in files:
        document = file_document(file)
        size = len(dump(document).encode()) + len(", ")
        if part and used + size > room:
            yield message(part)
            part, used = [], 0
        part.append(document)
        used += size
    yield message(part)
