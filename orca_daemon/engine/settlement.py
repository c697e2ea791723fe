"""Deletes and releases, in batches of ten, each entry followed to its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.events import Operation, SettlementFailed
from orca_daemon.engine.in_flight_message import SETTLING, WAITING, InFlightMessage
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.queue_context import QueueContext
from orca_daemon.engine.source import BATCH, EntryOutcome
from orca_daemon.engine.tasks import Tasks

RETRY = Backoff(base=0.2, cap=5.0)
_Call: TypeAlias = Callable[[Sequence[Envelope]], Awaitable[Sequence[EntryOutcome]]]
CALLS = 8
"""Calls at one time: the bound on requests in flight."""


@dataclass(slots=True)
class _Ticket:
    """What one caller waits for: all of its deletes."""

    left: int
    done: Callable[[], None]


class Settlement:
    """Deletes messages and gives them back; `delete` waits until each is deleted, or its lease is lost.

    Entries of several callers share a call; a batch is sent when it is full, or after `linger` seconds.  If
    one of its callers is in a hurry, it is sent at the next turn of the loop, or as soon as a call under way
    is answered: meanwhile the deletes of other groups join it.  Deletes go on if their caller is cancelled.

    `_waiting` is filled by the callers' tasks and emptied by whichever of them fills a batch, or by a timer.
    """

    def __init__(self, context: QueueContext) -> None:
        self._context = context
        self._source = context.source
        self._waiting: list[tuple[InFlightMessage, _Ticket]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._hurried = False
        self._asking = 0
        """Calls that wait for an answer."""
        self._calls = Tasks(context.failure)
        self._slots = asyncio.Semaphore(CALLS)
        self._name = f"deletes of {context.name}"

    async def delete(self, messages: Sequence[InFlightMessage], *, urgent: bool) -> None:
        """Delete, and return when all have ended; `message.lost` is then set for those not deleted."""
        if messages:
            finished = asyncio.Event()
            self.submit(messages, finished.set, urgent=urgent)
            await finished.wait()

    def submit(
        self, messages: Sequence[InFlightMessage], done: Callable[[], None], *, urgent: bool = False
    ) -> None:
        """Delete without waiting: `done` is called when the last of them has ended."""
        ticket = _Ticket(len(messages), done)
        for message in messages:
            self._waiting.append((message, ticket))
        while len(self._waiting) >= BATCH:
            self._send()
        if self._waiting and urgent and not self._hurried:
            self._hurried = True
            if not self._asking:
                # At the next turn of the loop, because other callers of this turn may share the call.
                asyncio.get_running_loop().call_soon(self._flush)
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._context.options.linger, self._flush)

    async def release(
        self, messages: Sequence[InFlightMessage], seconds: float = 0.0
    ) -> list[InFlightMessage]:
        """Give messages back, the last one first; return those that could not be given back.

        The queue delivers the head of a group before its followers only if it becomes visible last.
        """
        left: list[InFlightMessage] = []
        backwards = list(reversed(messages))
        for start in range(0, len(backwards), BATCH):
            ends = self._each(
                backwards[start : start + BATCH],
                Operation.RELEASE,
                lambda envelopes: self._source.hide(envelopes, seconds),
                tries=4,
            )
            left += [message async for message, done in ends if not done]
        return left

    @property
    def under_way(self) -> bool:
        """Whether deletes wait or are under way."""
        return bool(self._waiting or self._calls)

    async def flush(self) -> None:
        """Send what waits, and wait until no call is under way."""
        self._flush()
        await self._calls.join()

    def abandon(self) -> None:
        """Stop trying: callers that still wait are not called back."""
        self._waiting.clear()
        self._calls.cancel()

    def _flush(self) -> None:
        self._hurried = False
        while self._waiting:
            self._send()

    def _send(self) -> None:
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        if self._timer is not None and not self._waiting:
            self._timer.cancel()
            self._timer = None
        self._calls.start(self._delete(batch), self._name)

    async def _delete(self, batch: list[tuple[InFlightMessage, _Ticket]]) -> None:
        tickets = dict(batch)
        async for message, done in self._each(
            list(tickets), Operation.DELETE, self._source.delete, tries=None
        ):
            # A message that was withheld is not lost: its lease is kept until it is given back.
            if not done and message.phase is not WAITING:
                message.lease_lost()
            ticket = tickets[message]
            ticket.left -= 1
            if not ticket.left:
                ticket.done()

    async def _each(
        self,
        messages: Sequence[InFlightMessage],
        operation: Operation,
        call: _Call,
        *,
        tries: int | None,
    ) -> AsyncIterator[tuple[InFlightMessage, bool]]:
        """Repeat a call for entries that failed; yield each message at its end, and whether it was done.

        One by one, because one entry may be refused for as long as its lease holds: others must not wait.
        """
        left, failures = list(messages), 0
        while left:
            ends, reason = await self._once(call, left)
            left = [message for message, end in ends.items() if end is EntryOutcome.FAILED]
            for message, end in ends.items():
                if end is not EntryOutcome.FAILED:
                    yield message, end is EntryOutcome.DONE
            if left:
                failures += 1
                self._context.observe(SettlementFailed(self._context.name, operation, len(left), reason))
                if failures == tries:
                    break
                await asyncio.sleep(RETRY.delay(failures, self._context.rng))
        for message in left:
            yield message, False

    async def _once(
        self, call: _Call, messages: Sequence[InFlightMessage]
    ) -> tuple[dict[InFlightMessage, EntryOutcome], str]:
        """One call for the messages whose leases hold: how it ended for each, and why some failed."""
        ends = dict.fromkeys(messages, EntryOutcome.GONE)
        reason = "the queue refused some entries"
        async with self._slots:
            now = asyncio.get_running_loop().time()  # a lease may end during the wait for the slot
            sent = {message: message.envelope for message in _settleable(messages, now)}
            self._asking += 1
            try:
                outcomes = await call(list(sent.values())) if sent else ()
            except SourceError as error:
                outcomes, reason = [EntryOutcome.FAILED] * len(sent), f"{error.kind}: {error}"
            finally:
                self._asking -= 1
                if self._hurried:
                    self._flush()
        for (message, envelope), end in zip(sent.items(), outcomes, strict=True):
            # If the message was received again during the call, the result for the old receipt is
            # meaningless: try again with the new one.
            ends[message] = end if message.envelope is envelope else EntryOutcome.FAILED
        return ends, reason


def _settleable(messages: Sequence[InFlightMessage], now: float) -> Iterator[InFlightMessage]:
    """The messages whose leases hold, except deletes that follow a lost message of the same FIFO group.

    Such deletes are withheld: SQS delivers the lost message again, and it must be deleted before them.
    """
    lost: set[str] = set()
    for message in messages:
        if message.lost or message.deadline <= now:
            lost.add(message.envelope.group or message.envelope.id)
        elif message.phase is SETTLING and message.envelope.group in lost:
            message.withheld()
        else:
            yield message
