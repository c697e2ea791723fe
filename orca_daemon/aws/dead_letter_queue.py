"""The dead letters of one queue: read them, and send them back to the queue.

SQS can only read a message by receiving it, which hides it.  So reading hides the dead letters, and makes
them visible again at the end.  On a FIFO queue it reads the first ten of each group: SQS delivers no further
messages of the group while these are hidden.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from orca_daemon.aws.clients import Clients
from orca_daemon.aws.dead_letter import DeadLetter, letter
from orca_daemon.aws.sqs import SqsSource, other_region, translated
from orca_daemon.aws.sqs_messages import own_attributes, sendable, with_trace
from orca_daemon.engine import evidence as evidences
from orca_daemon.engine.errors import SourceError, SourceErrorKind
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.size import Attributes
from orca_daemon.engine.source import BATCH, EntryOutcome
from orca_daemon.wire.queue_url import normalised

LEASE = 300.0
"""Seconds for which a dead letter is hidden while it is read; renewed after a third of this time."""
WAIT = 1.0
"""Seconds of a long poll.  A short poll asks only some of SQS's servers, and may miss messages."""
TRIES = 4
"""Tries of a delete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFilter:
    """A filter of dead letters: all conditions must hold."""

    ids: frozenset[str] = frozenset()
    """Ids of the dead letter or of the original message; empty means any."""
    reason: str = ""
    """Case-insensitive substring of the reason."""
    error: str = ""
    """Exact `error` of the evidence; empty means any."""
    group: str | None = None
    since: float = 0.0
    """Dead-lettered at this time (epoch) or later."""
    until: float = float("inf")
    """Dead-lettered before this time (epoch)."""

    def matches(self, letter: DeadLetter) -> bool:
        """Whether the dead letter meets all conditions."""
        return (
            (not self.ids or not self.ids.isdisjoint({letter.id, letter.original_id}))
            and self.reason.casefold() in letter.reason.casefold()
            and (not self.error or letter.evidence.get("error") == self.error)
            and (self.group is None or letter.envelope.group == self.group)
            and self.since <= letter.dead_lettered_at < self.until
        )


@dataclass(slots=True)
class RedriveResult:
    """Counts of a redrive."""

    moved: int = 0
    failed: int = 0
    """Dead letters that stay, because sending or deleting failed."""
    passed_over: int = 0
    """Dead letters outside the filter, or too new."""
    reasons: set[str] = field(default_factory=set)
    """Why they failed."""


class DeadLetterQueue:
    """The dead-letter queue of one queue."""

    def __init__(self, clients: Clients, queue: str, dead_letter: str, *, fifo: bool) -> None:
        """`queue` and `dead_letter` are URLs."""
        self._source = SqsSource(clients.poll, clients.control, dead_letter)
        self._control = clients.control
        self._queue = normalised(queue)
        self._fifo = fifo
        self._hidden: dict[str, Envelope] = {}
        """Messages that we hid, in the order of their first receive; the newest receipt of each."""
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
            sleep: waits; replaced in tests.
        """
        result = RedriveResult()
        stopped: set[str | None] = set()
        try:
            while result.moved < most and (fresh := await self._next()):
                for each in fresh:
                    group = each.envelope.group
                    if not wanted.matches(each) or each.dead_lettered_at >= before:
                        result.passed_over += 1
                    elif result.moved < most and group not in stopped:
                        done = await self._move(each, result)
                        if self._fifo and not done:
                            stopped.add(group)  # the messages behind it must not overtake it
                        moved(each, done)
                        await sleep(1 / rate if rate else 0)
        finally:
            await self._make_visible()
        return result

    async def _next(self) -> list[DeadLetter]:
        """The next dead letters, none of them twice; empty at the end."""
        while True:
            await self._renew()
            received = await self._source.receive(BATCH, wait=WAIT, lease=LEASE)
            fresh = [envelope for envelope in received if envelope.id not in self._hidden]
            self._hidden.update({envelope.id: envelope for envelope in received})
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

    async def _move(self, each: DeadLetter, result: RedriveResult) -> bool:
        attributes: Attributes = evidences.without_evidence(own_attributes(each.envelope))
        attributes = with_trace(each.envelope.body, attributes)
        request = {"QueueUrl": self._queue, **sendable(each.envelope, attributes)}
        if self._fifo:
            # Use a new deduplication id: for five minutes SQS drops a message that repeats an old one.
            # It is made of the dead letter's id, so that a redrive that is repeated sends the message once.
            request["MessageDeduplicationId"] = f"redrive-{each.envelope.id}"
        try:
            await translated(self._control.send_message(**request))
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
