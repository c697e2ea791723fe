"""Dead letters of a queue that the settings name: read them, send them back, delete them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orca_daemon.aws.clients import connect
from orca_daemon.aws.dead_letter import DeadLetter
from orca_daemon.aws.dead_letter_filter import DeadLetterFilter
from orca_daemon.aws.dead_letter_queue import DeadLetterQueue
from orca_daemon.aws.redrive import NO_JOURNAL, RedriveResult
from orca_daemon.operations.dead_letter_journal import DatabaseJournal
from orca_daemon.operations.errors import UnknownQueueError
from orca_daemon.operations.recorded import Recorded, Request, recorded, unrecorded
from orca_daemon.settings import Settings

Progress = Callable[[int, int], None]
_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Peeked:
    """The dead letters that SQS returned and that match."""

    letters: list[DeadLetter]
    approximate_count: int
    """How many dead letters the queue has, whether they match or not."""
    fifo: bool = False
    seen: frozenset[str] = field(default_factory=frozenset)
    """The ids of all that SQS returned, whether they match or not."""


def no_progress(_done: int, _total: int) -> None:
    """Ignore the progress."""


async def peek(settings: Settings, queue: str, wanted: DeadLetterFilter, most: int) -> Peeked:
    """Read at most `most` of the dead letters that match; all of them stay on their queue.

    Raises:
        UnknownQueueError: the settings have no URL for this queue.
        SourceError: SQS refuses, or the queue has no dead-letter queue.
    """
    async with dead_letter_queue(settings, queue) as letters:
        count = await letters.count()
        found = await letters.peek(wanted, most)
        return Peeked(found, count, fifo=letters.fifo, seen=frozenset(letters.seen))


async def redrive(
    settings: Settings,
    queue: str,
    wanted: DeadLetterFilter,
    *,
    most: int,
    rate: float,
    progress: Progress = no_progress,
    request: Request | None = None,
    about: Mapping[str, Any] | None = None,
    began: datetime | None = None,
) -> RedriveResult:
    """Send at most `most` of the dead letters that match back to their queue, each group in order.

    Args:
        settings: of the queue, of AWS and of the database where the action is recorded.
        queue: its name in the settings.
        wanted: which dead letters.
        most: the most to send.
        rate: messages a second, 0 for no limit.
        progress: called before the first with 0, then after each that was moved, with the number moved so
            far and the number expected.
        request: who asks, under which id; None if the caller has recorded the action, or nobody does.
        about: the filter, as it is recorded.
        began: when an action that the caller recorded was begun: dead letters from then on are left.

    Raises:
        UnknownQueueError, SourceError: as for `peek`.
        AlreadyDoneError, UnderWayError, OtherActionError: see `recorded`.
    """
    async with acting(settings, queue, request, "redrive", about) as (letters, record):
        journal = DatabaseJournal(record, record.database, queue) if record.database else None
        total = min(most, record.done + await letters.count())
        progress(record.done, total)
        before = began or record.began

        def on_moved(_letter: DeadLetter, success: bool) -> None:  # noqa: FBT001  as DeadLetterQueue calls it
            if not journal:
                record.done += success
            progress(record.done, total)

        # A message that fails again meanwhile is a new dead letter; it must not be sent back a second time.
        result = await letters.redrive(
            wanted,
            most=max(0, most - record.done),
            rate=rate,
            before=before.timestamp(),
            moved=on_moved,
            journal=journal or NO_JOURNAL,
        )
        record.result = {"moved": record.done, "failed": result.failed}
        return result


async def delete(
    settings: Settings,
    queue: str,
    wanted: DeadLetterFilter,
    *,
    most: int,
    request: Request,
    progress: Progress = no_progress,
    about: Mapping[str, Any] | None = None,
) -> RedriveResult:
    """Delete at most `most` of the dead letters that match, for good.

    Raises:
        UnknownQueueError, SourceError: as for `peek`.
        AlreadyDoneError, UnderWayError, OtherActionError: see `recorded`.
    """
    async with acting(settings, queue, request, "delete", about) as (letters, record):
        return await remove(letters, wanted, record, queue, most=most, batch=_AT_ONCE, progress=progress)


async def remove(
    letters: DeadLetterQueue,
    wanted: DeadLetterFilter,
    record: Recorded,
    queue: str,
    *,
    most: int,
    batch: int,
    progress: Progress,
    keep: Callable[[Sequence[DeadLetter]], Awaitable[None]] | None = None,
) -> RedriveResult:
    """Delete dead letters older than the action, each once `keep` has kept it; marks and counts them."""
    journal = DatabaseJournal(record, record.database, queue) if record.database else None
    total = min(most, record.done + await letters.count())
    progress(record.done, total)

    async def before_deleting(chosen: Sequence[DeadLetter]) -> None:
        if keep:
            await keep(chosen)
        if journal:
            await journal.deleting(chosen)

    async def deleted(gone: Sequence[DeadLetter], stay: Sequence[DeadLetter]) -> None:
        if journal:
            await journal.kept(stay)
        else:
            record.done += len(gone)
        progress(record.done, total)

    result = await letters.remove(
        wanted,
        most=max(0, most - record.done),
        before=record.began.timestamp(),
        batch=batch,
        keep=before_deleting,
        removed=deleted,
    )
    record.result = {"deleted": record.done, "failed": result.failed}
    return result


@asynccontextmanager
async def dead_letter_queue(settings: Settings, queue: str) -> AsyncIterator[DeadLetterQueue]:
    """The dead letters of a queue.  Raises UnknownQueueError, SourceError."""
    bound = settings.bound
    if queue not in bound:
        raise UnknownQueueError(queue, bound)
    async with connect(settings) as clients:
        yield await DeadLetterQueue.of(clients, bound[queue].url or "")


@asynccontextmanager
async def acting(
    settings: Settings, queue: str, request: Request | None, what: str, about: Mapping[str, Any] | None
) -> AsyncIterator[tuple[DeadLetterQueue, Recorded]]:
    """The dead letters, once the action is recorded."""
    async with dead_letter_queue(settings, queue) as letters:
        if request is None:
            async with unrecorded(settings) as record:
                yield letters, record
            return
        async with recorded(settings, request, what, {"queue": queue, **(about or {})}) as record:
            if record.resumed:
                letters.wait_for_hidden()
            yield letters, record
