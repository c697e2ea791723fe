"""The queue as the engine sees it: four calls, and how each entry of a batch ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orca_daemon.engine.message import Envelope

BATCH = 10
"""Messages of one call at most (AWS: SQS quotas)."""
LONGEST_LEASE = 43_200.0
"""Seconds for which one delivery can stay invisible in total (AWS: ChangeMessageVisibility)."""


class EntryOutcome(StrEnum):
    """How one entry of a batch call ended."""

    DONE = "done"
    GONE = "gone"
    """The receipt is no longer valid: the lease is lost, and nothing is left to do."""
    FAILED = "failed"
    """Worth trying again while the lease holds."""


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """The attributes of the queue (AWS: GetQueueAttributes)."""

    fifo: bool
    visibility: float
    dead_letter: str | None = None
    """URL of the dead-letter queue, from the redrive policy."""
    max_receives: int | None = None
    retention: float = 345_600.0
    largest: int | None = None
    """Bytes that a message may have (MaximumMessageSize); None if the queue does not say."""
    dead_letter_largest: int | None = None
    """Bytes that a message of the dead-letter queue may have."""

    @property
    def dead_letter_takes_less(self) -> bool:
        """Whether there may be messages that the dead-letter queue does not take."""
        own, dead = self.largest, self.dead_letter_largest
        return own is not None and dead is not None and dead < own


class Source(Protocol):
    """One queue.  Batch calls take at most `BATCH` entries and answer position by position.

    A call that fails as a whole raises `SourceError`.  Calls are safe to repeat.
    """

    async def receive(
        self, limit: int, *, wait: float, lease: float, attempt_id: str | None = None
    ) -> Sequence[Envelope]:
        """Return up to `limit` messages, hidden for `lease` seconds, after at most `wait` seconds.

        Do not cancel it: the messages of an abandoned receive stay hidden for the whole lease.
        `attempt_id` repeated on a FIFO queue returns the same messages again (AWS: ReceiveRequestAttemptId).
        """
        ...

    async def delete(self, envelopes: Sequence[Envelope]) -> Sequence[EntryOutcome]:
        """Delete the messages."""
        ...

    async def hide(self, envelopes: Sequence[Envelope], seconds: float) -> Sequence[EntryOutcome]:
        """Keep the messages hidden for `seconds` from now; 0 makes them visible at once."""
        ...

    async def send_dead_letter(self, envelope: Envelope, evidence: Mapping[str, object]) -> str:
        """Send a copy to the dead-letter queue, with `evidence` as one JSON attribute; return the copy's id.

        The body and attributes are unchanged, the group is the same, the deduplication id is the original
        message's id.  The original is not deleted.  Raises `SourceError`.
        """
        ...
