"""A message in hand: its lease, its attempts, and what has been found out about it."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

from orca_daemon.engine.charges import History
from orca_daemon.engine.circuit import Key, Place
from orca_daemon.engine.message import Envelope

END_MARGIN = 60.0
"""Seconds before the end of a delivery's twelve hours at which its lease ends: its work has to stop first."""
STOPPING = 30.0
"""Seconds before that at which its work is stopped, so that it can be given back in order."""


class Phase(Enum):
    """Where a message in hand stands."""

    WAITING = "waiting"
    """In its lane: not started, or between two attempts."""
    RUNNING = "running"
    SETTLING = "settling"
    """Its work is durable, its delete is under way."""
    LEAVING = "leaving"
    """Being given back; a new delivery of it is a new message to us."""


class Isolation(IntEnum):
    """With whom a message may share a run; failures narrow it, so that a culprit ends up alone."""

    NONE = 0
    GROUP = 1
    ALONE = 2


@dataclass(slots=True, eq=False)
class InFlightMessage:
    """One delivery, from its receive to its settlement.  Times are the loop's, in seconds."""

    envelope: Envelope
    received: float
    deadline: float
    """When the lease ends, on the safe side."""
    extend_at: float
    message: Any = None
    """What the body decodes to; None where it does not."""
    phase: Phase = Phase.WAITING
    isolation: Isolation = Isolation.NONE
    attempts: int = 0
    """Failed attempts that this message made alone."""
    needs: frozenset[Key] = frozenset()
    """Places that its work is known to need beforehand."""
    histories: dict[Key, History] | None = None
    """What it met at places where it failed, and has not succeeded since."""
    waits_for: Place | None = None
    """The place that is down and that it is held for."""
    outlasts: bool = False
    """Whether an attempt at it, as the first of its run, did not end before its delivery."""
    not_yet_count: int = 0
    """How often it came before what it needs, or while that was away."""
    dead_letter_reason: str | None = None
    """Why it is to be dead-lettered, once that is decided."""
    error: str = "Reject"
    """Class of the error that condemned it."""
    cause: str = "rejected"
    """`rejected`, `attempts` or `unproven`."""
    notified: bool = False
    """Whether the world was told that it is given up: once is enough, however long the burial takes."""
    notification_failures: int = 0
    """How often telling failed for reasons of its own."""
    notification_problem: str = ""
    """Why nobody is told, once that is decided."""
    dead_letter_failures: int = 0
    """How often setting it aside did not succeed."""
    lost: bool = False
    extending: bool = False
    work_seconds: float = 0.0
    facts: dict[str, str] = field(default_factory=dict)
    """What handlers found out about it."""

    @property
    def stuck(self) -> bool:
        """Whether it is this message, and not one before it, that does not get on."""
        waits = self.not_yet_count or self.attempts or self.waits_for is not None
        return bool(waits or self.histories or self.outlasts)

    def renew(self, envelope: Envelope, now: float, lease: float) -> None:
        """A newer delivery of the same message: its receipt is the one that counts."""
        self.envelope = envelope
        self.lost = False
        self.leased(now, lease)

    def leased(self, since: float, seconds: float) -> None:
        """The lease runs for `seconds` from `since`; extend it when a third of it is over."""
        self.deadline = since + seconds
        self.extend_at = since + seconds / 3

    def longest_extension(self, now: float, lease: float, longest: float) -> float:
        """Seconds that the lease may still be given: SQS ends a delivery after `longest`, twelve hours."""
        return min(lease, longest - END_MARGIN - (now - self.received))
