"""A redrive's counts, and its memory of what was sent back before it was cut short."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orca_daemon.aws.dead_letter import DeadLetter


@dataclass(slots=True)
class RedriveResult:
    """Counts of a redrive, or of a removal."""

    moved: int = 0
    """Dead letters that left the queue."""
    failed: int = 0
    """Dead letters that stay, because sending or deleting failed."""
    passed_over: int = 0
    """Dead letters outside the filter, or too new."""
    reasons: set[str] = field(default_factory=set)
    """Why they failed."""


class RedriveJournal(Protocol):
    """Remembers which dead letters were sent back, so that a redrive that was cut short sends none twice."""

    async def sent_before(self, letters: Sequence[DeadLetter]) -> Container[str]:
        """The ids of those that were sent back already, and are still here."""

    async def sent(self, letter: DeadLetter) -> None:
        """Record that this one was sent back, before it is deleted."""


class NoJournal:
    """Remembers nothing.  SQS still drops what is sent twice to a FIFO queue within five minutes."""

    async def sent_before(self, letters: Sequence[DeadLetter]) -> Container[str]:
        """See `RedriveJournal`."""
        del letters
        return ()

    async def sent(self, letter: DeadLetter) -> None:
        """See `RedriveJournal`."""


NO_JOURNAL = NoJournal()
