"""Exports the dead letters of a queue to a file or to S3, and deletes them there once they are kept.

SQS shows ten dead letters of one FIFO group and no others until these are gone.  So an export of a FIFO queue
is complete only if it deletes what it has kept.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from orca_daemon.aws.clients import connect
from orca_daemon.aws.dead_letter import DeadLetter
from orca_daemon.aws.dead_letter_filter import DeadLetterFilter
from orca_daemon.aws.redrive import RedriveResult
from orca_daemon.aws.s3copy import S3Object
from orca_daemon.operations.dead_letters import Progress, acting, no_progress, remove
from orca_daemon.operations.export_file import ExportFile
from orca_daemon.operations.export_objects import ExportObjects
from orca_daemon.operations.recorded import Recorded, Request
from orca_daemon.settings import Settings

_MOST_NAMES = 20
"""Names of objects in the record of the action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export did."""

    exported: int
    """Dead letters that are kept now, with those of an export that was cut short."""
    deleted: int
    failed: int
    """Dead letters that are kept and that SQS did not delete."""
    files: list[str]
    """The file, or the objects."""
    more: int
    """About how many dead letters SQS did not show, or were left out."""
    reasons: Sequence[str] = ()


class Target(Protocol):
    """Where dead letters are kept."""

    batch: int
    known: set[str]
    """The ids of those that it has."""

    @property
    def names(self) -> list[str]:
        """What was written."""

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Keep these; they are durable when this returns."""

    def close(self) -> None:
        """The export is over."""


async def export(
    settings: Settings,
    queue: str,
    wanted: DeadLetterFilter,
    target: Path | S3Object,
    *,
    most: int,
    delete: bool,
    request: Request,
    progress: Progress = no_progress,
    about: Mapping[str, Any] | None = None,
) -> Exported:
    """Keep at most `most` of the dead letters that match; delete those that are kept, if `delete`.

    A dead letter is deleted after the file is on the disk, or after S3 has returned the object that was
    written.  If this is cut short, the same call goes on: nothing is lost, and nothing is kept twice.

    Raises:
        UnknownQueueError, SourceError: as for `peek`.
        AlreadyDoneError, UnderWayError, OtherActionError: see `recorded`.
        OSError, NotDeadLettersError: the file cannot be written, or holds something else.
        ClientError, NotVerifiedError: S3 refuses, or does not return what was written.
    """
    what = {"queue": queue, "to": str(target), "delete": delete, **(about or {})}
    async with (
        acting(settings, queue, request, "export dead letters", what) as (letters, record),
        _opened(settings, target, queue, request) as place,
    ):
        count = await letters.count()
        if delete:
            done = await remove(
                letters,
                wanted,
                record,
                queue,
                most=most,
                batch=place.batch,
                progress=progress,
                keep=place.keep,
            )
        else:
            done = RedriveResult()
            await _copy(await letters.peek(wanted, most), place, progress, record)
        exported = Exported(
            exported=len(place.known),
            deleted=record.done if delete else 0,
            failed=done.failed,
            files=place.names,
            more=max(0, count - (done.moved if delete else record.done)),
            reasons=sorted(done.reasons),
        )
        record.result = {**asdict(exported), "files": place.names[:_MOST_NAMES]}
        return exported


async def _copy(letters: Sequence[DeadLetter], place: Target, progress: Progress, record: Recorded) -> None:
    """Keep what SQS shows, and delete nothing."""
    record.done = 0
    for start in range(0, len(letters), place.batch):
        await place.keep(letters[start : start + place.batch])
        record.done = min(start + place.batch, len(letters))
        progress(record.done, len(letters))


@asynccontextmanager
async def _opened(
    settings: Settings, target: Path | S3Object, queue: str, request: Request
) -> AsyncIterator[Target]:
    if isinstance(target, Path):
        file = ExportFile(target, queue)
        try:
            yield file
        finally:
            file.close()
        return
    async with connect(settings) as clients:
        objects = ExportObjects(clients.s3, target, queue, request)
        await objects.open()
        yield objects
