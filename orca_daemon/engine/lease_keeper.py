"""Keeps leases: no message in flight becomes visible to other consumers while it waits or is worked."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from orca_daemon.engine.errors import SourceError, StuckError
from orca_daemon.engine.events import Extended, Observer
from orca_daemon.engine.in_flight_message import InFlightMessage, Phase
from orca_daemon.engine.lanes import Run
from orca_daemon.engine.source import BATCH, EntryOutcome, Source
from orca_daemon.engine.tasks import FirstFailure, Tasks

TICK = 1.0
RETRY = 2.0
"""Seconds until an extension that failed is asked for again."""
UNSTOPPABLE = 10.0
"""Seconds after its cancellation in which work must have stopped."""


class LeasedQueue(Protocol):
    """One queue, from the view of the lease keeper."""

    name: str
    source: Source
    lease: float
    longest: float
    """Seconds for which the queue lets a delivery stay hidden in total."""

    def in_flight(self) -> Iterable[InFlightMessage]:
        """Every message that a lease is to be kept for."""
        ...

    def runs(self) -> Iterable[Run]:
        """The runs at work."""
        ...

    def lost(self, message: InFlightMessage) -> None:
        """The lease of a message is lost."""
        ...

    def expired(self, run: Run) -> None:
        """A run has used up its time limit."""
        ...

    def expire(self, now: float) -> None:
        """Give back or dead-letter messages that have waited nearly as long as a delivery may last."""
        ...


class LeaseKeeper:
    """One task for all queues: extends leases, notices lost ones, and cancels work that takes too long."""

    def __init__(self, queues: Sequence[LeasedQueue], observe: Observer, failure: FirstFailure) -> None:
        self._queues = queues
        self._observe = observe
        self._calls = Tasks(failure)

    async def run(self) -> None:
        """Keep leases until cancelled; a supervised task."""
        now = asyncio.get_running_loop().time
        while True:
            for queue in self._queues:
                self._check_queue(queue, now())
            await asyncio.sleep(TICK)

    def _check_queue(self, queue: LeasedQueue, now: float) -> None:
        due: list[InFlightMessage] = []
        for message in list(queue.in_flight()):
            if message.deadline <= now and not message.lost:
                message.lease_lost()
                queue.lost(message)
            elif message.extend_at <= now and not message.extending and not message.lost:
                due.append(message)
        for batch in _batches(due, queue, now):
            for message in batch:
                message.extension_sent()
            # In a task of its own, because a call that hangs on one queue must not cost another its leases.
            self._calls.start(self._extend(queue, batch), f"extension of leases of {queue.name}")
        queue.expire(now)
        for run in list(queue.runs()):
            if run.stop is None and run.expires <= now:
                queue.expired(run)
            elif run.stop is not None and run.stopped_at + UNSTOPPABLE <= now:
                raise StuckError(
                    f"work on {queue.name} does not stop {UNSTOPPABLE:.0f} s after it was cancelled"
                )

    async def _extend(self, queue: LeasedQueue, batch: Sequence[InFlightMessage]) -> None:
        since = asyncio.get_running_loop().time()
        seconds = int(min(message.longest_extension(since, queue.lease, queue.longest) for message in batch))
        sent = [message.envelope for message in batch]
        failed = [EntryOutcome.FAILED] * len(batch)
        try:
            outcomes = await queue.source.hide(sent, seconds) if seconds >= 1 else failed
        except SourceError:
            outcomes = failed
        finally:
            for message, envelope in zip(batch, sent, strict=True):
                message.extension_returned(envelope)
        for message, envelope, outcome in zip(batch, sent, outcomes, strict=True):
            # If the message was received again meanwhile, this answer is for an older receipt.
            self._ended(queue, message, outcome, (since, seconds), stale=message.envelope is not envelope)
        for outcome, count in Counter(outcomes).items():
            self._observe(Extended(queue.name, outcome, count))

    def _ended(
        self,
        queue: LeasedQueue,
        message: InFlightMessage,
        outcome: EntryOutcome,
        lease: tuple[float, float],
        *,
        stale: bool,
    ) -> None:
        """Take over how the extension of one message ended; `lease` is when it began, and its seconds."""
        if message.phase is Phase.LEAVING or stale or message.lost:
            return
        since, seconds = lease
        if outcome is EntryOutcome.DONE:
            message.lease_extended(since, seconds)
        elif outcome is EntryOutcome.FAILED:
            message.extension_failed(since + RETRY)
        elif (
            message.phase is not Phase.SETTLING
        ):  # while it settles, a receipt that is gone may be its own delete
            message.lease_lost()
            queue.lost(message)


def _batches(
    due: Sequence[InFlightMessage], queue: LeasedQueue, now: float
) -> Iterator[Sequence[InFlightMessage]]:
    """Batches of messages with an equal longest extension: a call has one length for all of its entries."""
    by_length: dict[int, list[InFlightMessage]] = {}
    for message in due:
        length = int(message.longest_extension(now, queue.lease, queue.longest))
        by_length.setdefault(length, []).append(message)
    for alike in by_length.values():
        for start in range(0, len(alike), BATCH):
            yield alike[start : start + BATCH]
