"""The keeper of leases: nothing in hand becomes visible to others while it is waiting or at work."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from orca_daemon.engine.errors import SourceError, StuckError
from orca_daemon.engine.events import Extended, Observer
from orca_daemon.engine.in_flight_message import InFlightMessage, Phase
from orca_daemon.engine.lanes import Run
from orca_daemon.engine.source import BATCH, EntryOutcome, Source

TICK = 1.0
RETRY = 2.0
"""Seconds until an extension that failed is asked for again."""
UNSTOPPABLE = 10.0
"""Seconds after its cancellation in which work must have stopped."""


class LeasedQueue(Protocol):
    """One queue, as the keeper sees it."""

    name: str
    source: Source
    lease: float
    longest: float
    """Seconds for which the queue lets a delivery stay hidden in all."""

    def in_flight(self) -> Iterable[InFlightMessage]:
        """Every message that a lease is to be kept for."""
        ...

    def runs(self) -> Iterable[Run]:
        """The runs at work."""
        ...

    def lost(self, held: InFlightMessage) -> None:
        """The lease of a message is lost."""
        ...

    def expired(self, run: Run) -> None:
        """A run has used up its time limit."""
        ...

    def expire(self, now: float) -> None:
        """Part with what has waited nearly as long as a delivery may last."""
        ...


class LeaseKeeper:
    """One task for all queues: extends leases, notices lost ones, and ends work that takes too long."""

    def __init__(self, queues: Sequence[LeasedQueue], observe: Observer) -> None:
        self._queues = queues
        self._observe = observe
        self._calls: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Keep leases until cancelled; a supervised task."""
        now = asyncio.get_running_loop().time
        while True:
            for queue in self._queues:
                self._check_queue(queue, now())
            self._check_calls()
            await asyncio.sleep(TICK)

    def _check_queue(self, queue: LeasedQueue, now: float) -> None:
        due: list[InFlightMessage] = []
        for held in list(queue.in_flight()):
            if held.deadline <= now and not held.lost:
                held.lost = True
                queue.lost(held)
            elif held.extend_at <= now and not held.extending and not held.lost:
                due.append(held)
        for batch in _batches(due, queue, now):
            self._extend(queue, batch)
        queue.expire(now)
        for run in list(queue.runs()):
            if run.stop is None and run.expires <= now:
                queue.expired(run)
            elif run.stop is not None and run.stopped_at + UNSTOPPABLE <= now:
                raise StuckError(
                    f"work on {queue.name} does not stop {UNSTOPPABLE:.0f} s after it was cancelled"
                )

    def _check_calls(self) -> None:
        """A call that ended in an error of our own ends the keeper, and so the process."""
        for call in [call for call in self._calls if call.done()]:
            self._calls.discard(call)
            call.result()

    def _extend(self, queue: LeasedQueue, batch: Sequence[InFlightMessage]) -> None:
        for held in batch:
            held.extending = True
        # A task of its own: a call that hangs on one queue must not cost another its leases.
        self._calls.add(asyncio.create_task(self._call(queue, batch)))

    async def _call(self, queue: LeasedQueue, batch: Sequence[InFlightMessage]) -> None:
        clock = asyncio.get_running_loop().time
        since = clock()
        seconds = min(held.longest_extension(since, queue.lease, queue.longest) for held in batch)
        sent = [held.envelope for held in batch]
        try:
            outcomes: Sequence[EntryOutcome] = (
                await queue.source.hide(sent, int(seconds))
                if seconds >= 1
                else [EntryOutcome.FAILED] * len(batch)
            )
        except SourceError:
            outcomes = [EntryOutcome.FAILED] * len(batch)
        finally:
            for held in batch:
                held.extending = False
        for held, envelope, outcome in zip(batch, sent, outcomes, strict=True):
            self._ended(
                queue, held, outcome, since=since, seconds=int(seconds), stale=held.envelope is not envelope
            )
        for outcome in set(outcomes):
            self._observe(Extended(queue.name, outcome.value, list(outcomes).count(outcome)))

    def _ended(
        self,
        queue: LeasedQueue,
        held: InFlightMessage,
        outcome: EntryOutcome,
        *,
        since: float,
        seconds: float,
        stale: bool,
    ) -> None:
        # Settled meanwhile, or delivered again under a newer receipt: this answer is of the past.
        if held.phase is Phase.LEAVING or stale or held.lost:
            return
        if outcome is EntryOutcome.DONE:
            held.leased(since, seconds)
        elif outcome is EntryOutcome.FAILED:
            held.extend_at = since + RETRY
        elif held.phase is not Phase.SETTLING:
            held.lost = True
            queue.lost(held)


def _batches(
    due: Sequence[InFlightMessage], queue: LeasedQueue, now: float
) -> Iterator[Sequence[InFlightMessage]]:
    """The messages of one call share its length, so those near the end of their twelve hours go apart."""
    by_length: dict[int, list[InFlightMessage]] = {}
    for held in due:
        length = int(held.longest_extension(now, queue.lease, queue.longest))
        by_length.setdefault(length, []).append(held)
    for alike in by_length.values():
        for start in range(0, len(alike), BATCH):
            yield alike[start : start + BATCH]
