"""Dead letters of a queue that the settings name: read them, and send them back."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from orca_daemon.aws.clients import connect
from orca_daemon.aws.dead_letter import DeadLetter
from orca_daemon.aws.dead_letter_queue import DeadLetterFilter, DeadLetterQueue, RedriveResult
from orca_daemon.operations.errors import UnknownQueueError
from orca_daemon.settings import Settings


@dataclass(frozen=True, slots=True)
class Peeked:
    """The dead letters that SQS returned and that match."""

    letters: list[DeadLetter]
    approximate_count: int
    """How many dead letters the queue has, whether they match or not."""


async def peek(settings: Settings, queue: str, wanted: DeadLetterFilter, most: int) -> Peeked:
    """Read at most `most` of the dead letters that match; all of them stay on their queue.

    Raises:
        UnknownQueueError: the settings have no URL for this queue.
        SourceError: SQS refuses, or the queue has no dead-letter queue.
    """
    async with _dead_letters(settings, queue) as letters:
        count = await letters.count()
        return Peeked(await letters.peek(wanted, most), count)


async def redrive(
    settings: Settings,
    queue: str,
    wanted: DeadLetterFilter,
    *,
    most: int,
    rate: float,
    progress: Callable[[int, int], None] = lambda _moved, _total: None,
) -> RedriveResult:
    """Send at most `most` of the dead letters that match back to their queue, each group in order.

    Args:
        settings: of the queue and of AWS.
        queue: its name in the settings.
        wanted: which dead letters.
        most: the most to send.
        rate: messages a second, 0 for no limit.
        progress: called before the first with 0, then after each that was moved, with the number moved so
            far and the number expected.

    Raises:
        UnknownQueueError, SourceError: as for `peek`.
    """
    moved = 0
    async with _dead_letters(settings, queue) as letters:
        total = min(most, await letters.count())
        progress(0, total)

        def on_moved(_letter: DeadLetter, success: bool) -> None:  # noqa: FBT001  as DeadLetterQueue calls it
            nonlocal moved
            moved += success
            progress(moved, total)

        # A message that fails again meanwhile is a new dead letter; it must not be sent back a second time.
        return await letters.redrive(wanted, most=most, rate=rate, before=time.time(), moved=on_moved)


@asynccontextmanager
async def _dead_letters(settings: Settings, queue: str) -> AsyncIterator[DeadLetterQueue]:
    bound = settings.bound
    if queue not in bound:
        raise UnknownQueueError(queue, bound)
    async with connect(settings) as clients:
        yield await DeadLetterQueue.of(clients, bound[queue].url or "")
