"""The dead letters of one queue: read them, send them back to the queue, and delete them.

SQS can only read a message by receiving it, which hides it.  So reading hides the dead letters, and makes
them visible again at the end.  On a FIFO queue it reads the first ten of each group: SQS delivers no further
messages of the group while these are hidden.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from orca_daemon.aws.clients import Clients
from orca_daemon.aws.dead_letter import DeadLetter, letter
from orca_daemon.aws.dead_letter_filter import DeadLetterFilter
from orca_daemon.aws.redrive import NO_JOURNAL, RedriveJournal, RedriveResult
from orca_daemon.aws.sqs import SqsSource, other_region, translated
from orca_daemon.aws.sqs_messages import own_attributes, sendable, with_trace
from orca_daemon.engine import evidence as evidences
from orca_daemon.engine.errors import SourceError, SourceErrorKind
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.size import Attributes
from orca_daemon.engine.source import BATCH, EntryOutcome
from orca_daemon.wire.queue_url import normalised

__all__ = ["DeadLetterFilter", "DeadLetterQueue", "RedriveResult"]
LEASE = 120.0
"""Seconds for which a dead letter is hidden while it is read; renewed after a third of this time."""
WAIT = 1.0
"""Seconds of a long poll.  A short poll asks only some of SQS's servers, and may miss messages."""
TRIES = 4
"""Tries of a delete."""


class DeadLetterQueue:
    """The dead-letter queue of one queue."""

    def __init__(self, clients: Clients, queue: str, dead_letter: str, *, fifo: bool) -> None:
        """`queue` and `dead_letter` are URLs."""
        self._source = SqsSource(clients.poll, clients.control, dead_letter)
        self._control = clients.control
        self._queue = normalised(queue)
        self.fifo = fifo
        """If so, SQS shows no more than the first ten dead letters of each group."""
        self.seen: set[str] = set()
        """Ids of all dead letters that SQS has shown."""
        self._hidden: dict[str, Envelope] = {}
        """Messages that we hid, without their bodies, in the order of their first receive; with the newest
        receipt of each."""
        self._wait_until = 0.0
        """Until when to wait for dead letters that others hide, by the loop's clock."""
        self._renewed = 0.0
        """When all of them were last hidden again, by the loop's clock."""

    @classmethod
    async def of(cls, clients: Clients, queue: str) -> "DeadLetterQueue":
        """The dead letters of the queue with this URL.

        Raises:
            SourceError: the queue cannot be reached, is in another region, or has no dead-letter queue.
        """
        if sentence := other_region(queue, clients.control):
            raise SourceError(SourceErrorKind.MISSING, sentence)
        facts = await SqsSource(clients.poll, clients.control, queue).describe()
        if facts.dead_letter is None:
            raise SourceError(SourceErrorKind.MISSING, "the queue has no dead-letter queue")
        return cls(clients, queue, facts.dead_letter, fifo=facts.fifo)

    async def count(self) -> int:
        """How many dead letters there are, approximately."""
        depth = await self._source.depth()
        return depth.visible + depth.inflight + depth.delayed

    async def peek(self, wanted: DeadLetterFilter, most: int) -> list[DeadLetter]:
        """Read up to `most` dead letters that pass the filter, and make all visible again."""
        letters: list[DeadLetter] = []
        try:
            while len(letters) < most and (fresh := await self._next()):
                letters += [each for each in fresh if wanted.matches(each)]
        finally:
            await self._make_visible()
        return letters[:most]

    async def redrive(
        self,
        wanted: DeadLetterFilter,
        *,
        most: int,
        rate: float,
        before: float,
        moved: Callable[[DeadLetter, bool], None],
        journal: RedriveJournal = NO_JOURNAL,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> RedriveResult:
        """Send dead letters back to the queue, each group in order, and delete them here.

        Args:
            wanted: the filter.
            most: the largest number to send.
            rate: messages per second; 0 means no limit.
            before: leave dead letters of this time (epoch) or later, because these may be messages that this
                redrive sent and that failed again.
            moved: called with each dead letter, and whether it was moved.
            journal: knows those that an earlier redrive sent and did not delete; they are only deleted.
            sleep: waits; replaced in tests.
        """
        result = RedriveResult()
        stopped: set[str | None] = set()
        try:
            while result.moved < most and (fresh := await self._next_or_hidden()):
                sent = await journal.sent_before(fresh)
                for each in fresh:
                    group = each.envelope.group
                    if not wanted.matches(each) or each.dead_lettered_at >= before:
                        result.passed_over += 1
                    elif result.moved < most and group not in stopped:
                        await self._renew()
                        done = await self._move(each, result, None if each.id in sent else journal)
                        if self.fifo and not done:
                            stopped.add(group)  # the messages behind it must not overtake it
                        moved(each, done)
                        await self._pause(1 / rate if rate else 0, sleep)
        finally:
            await self._make_visible()
        return result

    async def remove(
        self,
        wanted: DeadLetterFilter,
        *,
        most: int,
        before: float,
        batch: int,
        keep: Callable[[Sequence[DeadLetter]], Awaitable[None]],
        removed: Callable[[Sequence[DeadLetter], Sequence[DeadLetter]], Awaitable[None]],
    ) -> RedriveResult:
        """Delete dead letters, after something was done with them.

        Args:
            wanted: the filter.
            most: the largest number to delete.
            before: leave dead letters of this time (epoch) or later.
            batch: at most so many at a time.
            keep: called with some dead letters; they are deleted once it has returned.
            removed: then called with those that were deleted and those that were not.
        """
        result = RedriveResult()
        try:
            while result.moved < most:
                chosen = await self._gather(wanted, before, min(batch, most - result.moved), result)
                if not chosen:
                    break
                await keep(chosen)
                stay = await self._delete_all(chosen, result)
                await removed(
                    [each for each in chosen if each.id not in stay],
                    [each for each in chosen if each.id in stay],
                )
        finally:
            await self._make_visible()
        return result

    async def _gather(
        self, wanted: DeadLetterFilter, before: float, most: int, result: RedriveResult
    ) -> list[DeadLetter]:
        """Receive until so many dead letters match, or SQS shows no others."""
        chosen: list[DeadLetter] = []
        while len(chosen) < most and (fresh := await self._next_or_hidden(most - len(chosen))):
            matching = [each for each in fresh if wanted.matches(each) and each.dead_lettered_at < before]
            result.passed_over += len(fresh) - len(matching)
            chosen += matching
        return chosen

    async def _delete_all(self, letters: Sequence[DeadLetter], result: RedriveResult) -> set[str]:
        """Delete them in batches; returns the ids of those that stay."""
        stay: set[str] = set()
        for start in range(0, len(letters), BATCH):
            stay |= await self._delete_batch(
                [each.envelope for each in letters[start : start + BATCH]], result
            )
        result.moved += len(letters) - len(stay)
        result.failed += len(stay)
        return stay

    async def _delete_batch(self, envelopes: Sequence[Envelope], result: RedriveResult) -> set[str]:
        left = list(envelopes)
        for _ in range(TRIES):
            # The newest receipts: a message that came again meanwhile cannot be deleted with an older one.
            current = [self._hidden.get(each.id, each) for each in left]
            ends = await self._source.delete(current)
            for each, end in zip(left, ends, strict=True):
                if end is EntryOutcome.DONE:
                    self._hidden.pop(each.id, None)
            left = [each for each, end in zip(left, ends, strict=True) if end is not EntryOutcome.DONE]
            if not left:
                return set()
        result.reasons.add("SQS did not delete it")
        return {each.id for each in left}

    def wait_for_hidden(self) -> None:
        """From now on, the end is not reached while others hide dead letters; for the length of a lease.

        A process that was killed a moment ago has received some, and they come back when its lease ends.
        """
        self._wait_until = asyncio.get_running_loop().time() + LEASE + WAIT

    async def _next_or_hidden(self, most: int = BATCH) -> list[DeadLetter]:
        """The next dead letters; waits for those that others hide, if `wait_for_hidden` was called."""
        while True:
            # Asked before the receive: a lease that ends between the two must not look like the end.
            others = asyncio.get_running_loop().time() < self._wait_until and await self._others_hide()
            if (fresh := await self._next(most)) or not others:
                return fresh

    async def _others_hide(self) -> bool:
        return (await self._source.depth()).inflight > len(self._hidden)

    async def _pause(self, seconds: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Sleep, and keep hidden what was received."""
        while seconds > LEASE / 3:
            await sleep(LEASE / 3)
            await self._renew()
            seconds -= LEASE / 3
        await sleep(seconds)

    async def _next(self, most: int = BATCH) -> list[DeadLetter]:
        """The next dead letters, none of them twice; empty at the end."""
        while True:
            await self._renew()
            received = await self._source.receive(min(most, BATCH), wait=WAIT, lease=LEASE)
            fresh = [envelope for envelope in received if envelope.id not in self._hidden]
            for each in received:
                self._hidden[each.id] = replace(each, body="", attributes={}, raw_attributes={})
                self.seen.add(each.id)
            if fresh or not received:
                return [letter(envelope) for envelope in fresh]

    async def _renew(self) -> None:
        # At most every third of a lease, because thousands of passed-over messages may be hidden.
        now = asyncio.get_running_loop().time()
        if not self._hidden:
            self._renewed = now
        elif now - self._renewed >= LEASE / 3:
            self._renewed = now
            await self._hide(LEASE)

    async def _move(self, each: DeadLetter, result: RedriveResult, journal: RedriveJournal | None) -> bool:
        """Send and delete one; without a journal it was sent before, and is only deleted."""
        attributes: Attributes = evidences.without_evidence(own_attributes(each.envelope))
        attributes = with_trace(each.envelope.body, attributes)
        request = {"QueueUrl": self._queue, **sendable(each.envelope, attributes)}
        if self.fifo:
            # Use a new deduplication id: for five minutes SQS drops a message that repeats an old one.
            # It is made of the dead letter's id, so that a redrive that is repeated sends the message once.
            request["MessageDeduplicationId"] = f"redrive-{each.envelope.id}"
        try:
            if journal:
                await translated(self._control.send_message(**request))
                await journal.sent(each)
            await self._delete(each.envelope)
        except SourceError as error:
            result.failed += 1
            result.reasons.add(f"{error.kind} ({error})")
            return False
        result.moved += 1
        return True

    async def _delete(self, envelope: Envelope) -> None:
        for _ in range(TRIES):
            (outcome,) = await self._source.delete([envelope])
            if outcome is not EntryOutcome.FAILED:
                self._hidden.pop(envelope.id, None)
            if outcome is EntryOutcome.DONE:
                return
            if outcome is EntryOutcome.GONE:
                raise SourceError(
                    SourceErrorKind.UNAVAILABLE,
                    "it was sent, but its receipt expired before it was deleted here",
                )
        raise SourceError(SourceErrorKind.UNAVAILABLE, "it was sent, but SQS did not delete it here")

    async def _make_visible(self) -> None:
        # Back to front, because the head of a group must become visible last: then it is delivered first.
        await self._hide(0, backwards=True)
        self._hidden.clear()

    async def _hide(self, seconds: float, *, backwards: bool = False) -> None:
        hidden: Sequence[Envelope] = list(self._hidden.values())
        if backwards:
            hidden = hidden[::-1]
        for start in range(0, len(hidden), BATCH):
            await self._source.hide(hidden[start : start + BATCH], seconds)
