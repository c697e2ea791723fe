"""Dead letters of one queue: look at them, and send them back where they came from.

SQS has no way of reading without receiving, so a look hides what it reads and gives it back at the end.  On a
FIFO queue it sees the first ten of a group: SQS hands out no more of one while these are hidden.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from orca_daemon.aws.clients import Clients
from orca_daemon.aws.dead_letter import DeadLetter, letter
from orca_daemon.aws.queue_location import other_region
from orca_daemon.aws.sqs import SqsSource, own_attributes, sendable, translated
from orca_daemon.engine import evidence as evidences
from orca_daemon.engine.errors import SourceError, SourceErrorKind
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import BATCH, EntryOutcome
from orca_daemon.wire.queue_url import normalised

LEASE = 300.0
"""Seconds for which a dead letter is hidden while it is looked at; renewed at a third of it."""
WAIT = 1.0
"""A long poll asks all of SQS's servers; a short one may find nothing where there is something."""
TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which dead letters are meant: all of these must hold."""

    ids: frozenset[str] = frozenset()
    """Of the dead letter or of the message that it was; empty means any."""
    reason: str = ""
    """Case-insensitive substring of the reason."""
    error: str = ""
    group: str | None = None
    since: float = 0.0
    until: float = float("inf")

    def takes(self, letter: DeadLetter) -> bool:
        """Whether this dead letter is meant."""
        return (
            (not self.ids or not self.ids.isdisjoint({letter.id, letter.original_id}))
            and self.reason.casefold() in letter.reason.casefold()
            and (not self.error or letter.evidence.get("error") == self.error)
            and (self.group is None or letter.envelope.group == self.group)
            and self.since <= letter.dead_lettered_at < self.until
        )


@dataclass(slots=True)
class RedriveResult:
    """What became of the dead letters that were looked at."""

    moved: int = 0
    failed: int = 0
    """Left where they are, because sending or deleting did not succeed."""
    passed_over: int = 0
    """Not meant."""
    reasons: set[str] = field(default_factory=set)
    """Why those that failed did."""


class DeadLetters:
    """The dead-letter queue of one queue."""

    def __init__(self, clients: Clients, queue: str, dead_letter: str, *, fifo: bool) -> None:
        """`queue` and `dead_letter` are URLs."""
        self._source = SqsSource(clients.poll, clients.control, dead_letter)
        self._control = clients.control
        self._queue = normalised(queue)
        self._fifo = fifo
        self._seen: dict[str, Envelope] = {}
        """Hidden by us, in the order in which they came; the newest receipt of each."""
        self._renewed = 0.0
        """When all of them were hidden anew, on the loop's clock."""

    @classmethod
    async def of(cls, clients: Clients, queue: str) -> "DeadLetters":
        """Those of the queue with this URL.

        Raises:
            SourceError: the queue cannot be asked, is in another region, or has no dead-letter queue.
        """
        if sentence := other_region(queue, clients.control):
            raise SourceError(SourceErrorKind.MISSING, sentence)
        facts = await SqsSource(clients.poll, clients.control, queue).describe()
        if facts.dead_letter is None:
            raise SourceError(SourceErrorKind.MISSING, "the queue has no dead-letter queue")
        return cls(clients, queue, facts.dead_letter, fifo=facts.fifo)

    async def count(self) -> int:
        """How many there are, roughly."""
        depth = await self._source.depth()
        return depth.visible + depth.inflight + depth.delayed

    async def peek(self, wanted: Wanted, most: int) -> list[DeadLetter]:
        """Up to `most` of those that are meant.  All of them are back on their queue afterwards."""
        found: list[DeadLetter] = []
        try:
            while len(found) < most and (fresh := await self._next()):
                found += [each for each in fresh if wanted.takes(each)]
        finally:
            await self._give_back()
        return found[:most]

    async def redrive(
        self,
        wanted: Wanted,
        *,
        most: int,
        rate: float,
        before: float,
        moved: Callable[[DeadLetter, bool], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> RedriveResult:
        """Send those that are meant back to the queue, each group in order, and delete them here.

        Args:
            wanted: which.
            most: the most to send.
            rate: messages a second, 0 for no limit.
            before: dead letters of this moment (epoch) or later are left: they may have come back already.
            moved: called with each one, and whether it was moved.
            sleep: how to wait.
        """
        tally = RedriveResult()
        stopped: set[str | None] = set()
        try:
            while tally.moved < most and (fresh := await self._next()):
                for each in fresh:
                    group = each.envelope.group
                    if not wanted.takes(each) or each.dead_lettered_at >= before:
                        tally.passed_over += 1
                    elif tally.moved < most and group not in stopped:
                        done = await self._move(each, tally)
                        if self._fifo and not done:
                            stopped.add(group)  # what is behind it must not overtake it
                        moved(each, done)
                        await sleep(1 / rate if rate else 0)
        finally:
            await self._give_back()
        return tally

    async def _next(self) -> list[DeadLetter]:
        """More of them, none twice; empty when there are no more."""
        while True:
            await self._renew()
            got = await self._source.receive(BATCH, wait=WAIT, lease=LEASE)
            fresh = [envelope for envelope in got if envelope.id not in self._seen]
            self._seen.update({envelope.id: envelope for envelope in got})
            if fresh or not got:
                return [letter(envelope) for envelope in fresh]

    async def _renew(self) -> None:
        # Not with each receive: what is passed over stays hidden, and there may be thousands of it.
        now = asyncio.get_running_loop().time()
        if not self._seen:
            self._renewed = now
        elif now - self._renewed >= LEASE / 3:
            self._renewed = now
            await self._hide(LEASE)

    async def _move(self, each: DeadLetter, tally: RedriveResult) -> bool:
        attributes = evidences.without_evidence(own_attributes(each.envelope))
        request = {"QueueUrl": self._queue, **sendable(each.envelope, attributes)}
        if self._fifo:
            # Use a new deduplication id: for five minutes SQS drops a message that repeats an old one.
            # Made of the dead letter's id, so that a redrive which is broken off and repeated is one message.
            request["MessageDeduplicationId"] = f"redrive-{each.envelope.id}"
        try:
            await translated(self._control.send_message(**request))
            await self._delete(each.envelope)
        except SourceError as error:
            tally.failed += 1
            tally.reasons.add(f"{error.kind} ({error})")
            return False
        tally.moved += 1
        return True

    async def _delete(self, envelope: Envelope) -> None:
        for _ in range(TRIES):
            (outcome,) = await self._source.delete([envelope])
            if outcome is not EntryOutcome.FAILED:
                self._seen.pop(envelope.id, None)
            if outcome is EntryOutcome.DONE:
                return
            if outcome is EntryOutcome.GONE:
                raise SourceError(
                    SourceErrorKind.UNAVAILABLE, "it was sent, and came back here before it was deleted"
                )
        raise SourceError(SourceErrorKind.UNAVAILABLE, "it was sent, and SQS did not delete it here")

    async def _give_back(self) -> None:
        # The tail of a group first: the head is the last to become visible, and so the first to be served.
        await self._hide(0, backwards=True)
        self._seen.clear()

    async def _hide(self, seconds: float, *, backwards: bool = False) -> None:
        held: Sequence[Envelope] = list(self._seen.values())
        if backwards:
            held = held[::-1]
        for start in range(0, len(held), BATCH):
            await self._source.hide(held[start : start + BATCH], seconds)
