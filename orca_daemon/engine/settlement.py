"""Deletes and releases, in batches of ten, each entry followed to its end."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.events import Observer, SettlementFailed
from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import BATCH, EntryOutcome, Source

RETRY = Backoff(base=0.2, cap=5.0)
_Call: TypeAlias = Callable[[Sequence[Envelope]], Awaitable[Sequence[EntryOutcome]]]
CALLS = 8
"""Calls at one time: the bound on what is on its way."""


@dataclass(slots=True)
class _Ticket:
    """What one caller waits for: all of its deletes."""

    left: int
    done: Callable[[], None]


class Settlement:
    """Ends the stay of messages: `delete` waits until each is confirmed, or its lease is lost.

    Entries of several callers share a call; a batch leaves when it is full, when its company is urgent, or
    after `linger` seconds.  Cancelling a caller does not cancel its deletes.
    """

    def __init__(
        self, queue: str, source: Source, *, linger: float, observe: Observer, rng: random.Random
    ) -> None:
        self._queue = queue
        self._source = source
        self._linger = linger
        self._observe = observe
        self._rng = rng
        self._waiting: list[tuple[InFlightMessage, _Ticket]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._hurried = False
        self._calls: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(CALLS)
        self.on_fault: Callable[[BaseException], None] = lambda _: None

    async def delete(self, messages: Sequence[InFlightMessage], *, urgent: bool) -> None:
        """Delete; afterwards `held.lost` tells of each whether it is gone or was lost."""
        if messages:
            finished = asyncio.Event()
            self.submit(messages, finished.set, urgent=urgent)
            await finished.wait()

    def submit(
        self, messages: Sequence[InFlightMessage], done: Callable[[], None], *, urgent: bool = False
    ) -> None:
        """The same without waiting: `done` is called when the last of them has ended."""
        ticket = _Ticket(len(messages), done)
        self._waiting.extend((held, ticket) for held in messages)
        while len(self._waiting) >= BATCH:
            self._send()
        if self._waiting and urgent and not self._hurried:
            # Not at once: others of this moment may share the call.
            self._hurried = True
            asyncio.get_running_loop().call_soon(self._flush)
        elif self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._linger, self._flush)

    async def release(
        self, messages: Sequence[InFlightMessage], seconds: float = 0.0
    ) -> list[InFlightMessage]:
        """Give messages back, the last one first; return those that could not be.

        The queue serves the head of a group before its followers only if it is the last to become visible.
        """
        left: list[InFlightMessage] = []
        backwards = list(reversed(messages))
        for start in range(0, len(backwards), BATCH):
            ends = self._each(
                backwards[start : start + BATCH],
                "release",
                lambda envelopes: self._source.hide(envelopes, seconds),
                tries=4,
            )
            left += [held async for held, done in ends if not done]
        return left

    async def flush(self) -> None:
        """Send what waits, and wait for everything that is on its way."""
        self._flush()
        while self._calls:
            await asyncio.wait(self._calls)

    def abandon(self) -> None:
        """Stop trying: who still waits is not told."""
        self._waiting.clear()
        for call in self._calls:
            call.cancel()

    def _flush(self) -> None:
        self._hurried = False
        while self._waiting:
            self._send()

    def _send(self) -> None:
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        if self._timer is not None and not self._waiting:
            self._timer.cancel()
            self._timer = None
        call = asyncio.create_task(self._call(batch))
        self._calls.add(call)
        call.add_done_callback(self._called)

    def _called(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not call.cancelled() and (error := call.exception()):
            self.on_fault(error)

    async def _call(self, batch: list[tuple[InFlightMessage, _Ticket]]) -> None:
        tickets = dict(batch)
        async for held, done in self._each(list(tickets), "delete", self._source.delete, tries=None):
            held.lost = held.lost or not done
            ticket = tickets[held]
            ticket.left -= 1
            if not ticket.left:
                ticket.done()

    async def _each(
        self,
        messages: Sequence[InFlightMessage],
        operation: str,
        call: _Call,
        *,
        tries: int | None,
    ) -> AsyncIterator[tuple[InFlightMessage, bool]]:
        """Repeat a call for the entries that failed; tell of each when it has ended, and whether it was done.

        So nobody waits for its company: one entry may be refused for as long as its lease holds.
        """
        left, failures = list(messages), 0
        while left:
            ends, reason = await self._once(call, left)
            left = [held for held, end in ends.items() if end is EntryOutcome.FAILED]
            for held, end in ends.items():
                if end is not EntryOutcome.FAILED:
                    yield held, end is EntryOutcome.DONE
            if left:
                failures += 1
                self._observe(SettlementFailed(self._queue, operation, len(left), reason))
                if failures == tries:
                    break
                await asyncio.sleep(RETRY.delay(failures, self._rng))
        for held in left:
            yield held, False

    async def _once(
        self, call: _Call, messages: Sequence[InFlightMessage]
    ) -> tuple[dict[InFlightMessage, EntryOutcome], str]:
        """One call for the messages whose leases hold: how it ended for each, and why where it failed."""
        ends = dict.fromkeys(messages, EntryOutcome.GONE)
        reason = "the queue refused some entries"
        async with self._slots:
            now = asyncio.get_running_loop().time()  # a lease may end during the wait for the slot
            sent = {held: held.envelope for held in messages if not held.lost and held.deadline > now}
            try:
                outcomes = await call(list(sent.values())) if sent else ()
            except SourceError as error:
                outcomes, reason = [EntryOutcome.FAILED] * len(sent), f"{error.kind}: {error}"
        for (held, envelope), end in zip(sent.items(), outcomes, strict=True):
            # Of a message that came again meanwhile, the answer for its older receipt says nothing.
            ends[held] = end if held.envelope is envelope else EntryOutcome.FAILED
        return ends, reason
