"""Everything that happens in the engine, as values: metrics, logs and tests are made of these.

Names of events and fields and the values of their closed lists are permanent: dashboards and alerts use them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import EntryOutcome


class PollOutcome(StrEnum):
    """How a receive ended."""

    MESSAGES = "messages"
    EMPTY = "empty"
    THROTTLED = "throttled"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Polled:
    """A receive returned."""

    queue: str
    outcome: PollOutcome
    messages: tuple[Envelope, ...] = ()
    reason: str = ""


class AttemptOutcome(StrEnum):
    """How a call of a handler ended."""

    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"
    REFUSED = "refused"
    DOWN = "down"
    EARLY = "early"
    """The handler raised `NotYet`."""
    LOST = "lost"
    """The engine cancelled it because a lease was lost."""
    EXPIRED = "expired"
    """The engine cancelled it at the time limit of the route."""
    ENDED = "ended"
    """The engine cancelled it because the time of the delivery was over."""
    DRAINED = "drained"
    """The engine cancelled it at the end of the drain."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """A handler was called with a run and returned.  `error` is None if the work is durable."""

    queue: str
    envelopes: tuple[Envelope, ...]
    attempt: int
    seconds: float
    error: BaseException | None = None
    outcome: AttemptOutcome = AttemptOutcome.DONE


class SettledOutcome(StrEnum):
    """How a message left the process."""

    DELETED = "deleted"
    DEAD_LETTERED = "dead_lettered"
    RELEASED = "released"
    LEASE_LOST = "lease_lost"
    DUPLICATE = "duplicate"
    """The same message was received again while it was in flight."""
    HIDDEN = "hidden"
    """Left to its lease, because its work may yet become durable."""


class Cause(StrEnum):
    """Why a message was given up."""

    REJECTED = "rejected"
    """No retry can help."""
    ATTEMPTS = "attempts"
    """There were too many failed attempts."""
    UNPROVEN = "unproven"
    """It failed alone at a dependency for too long."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A message left the process."""

    queue: str
    envelope: Envelope
    outcome: SettledOutcome
    reason: str = ""
    attempts: int = 0
    held_seconds: float = 0.0
    lease_left: float = 0.0
    work_seconds: float = 0.0
    facts: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    """Class of the error for which a message was given up, if it was dead-lettered."""
    cause: Cause | None = None
    """Why the message was given up, if it was."""
    dead_letter_id: str = ""
    """The id of its dead letter, if one was sent."""


@dataclass(frozen=True, slots=True)
class Extended:
    """The lease keeper asked for longer leases; `count` of them ended like this."""

    queue: str
    outcome: EntryOutcome
    count: int


class Operation(StrEnum):
    """What is done to a message when its work is over."""

    DELETE = "delete"
    RELEASE = "release"
    DEAD_LETTER = "dead_letter"
    GAVE_UP = "gave_up"
    """The route's notification that the message is given up."""


@dataclass(frozen=True, slots=True)
class SettlementFailed:
    """An operation at the end of a message failed; it is tried again while the lease holds."""

    queue: str
    operation: Operation
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """A dependency went down or came back; with `place`, one part of it did (`read BUCKET`)."""

    dependency: str
    open: bool
    reason: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class NotificationAbandoned:
    """`gave_up` failed so often for its own reasons that the message is dead-lettered without it."""

    queue: str
    envelope: Envelope
    reason: str


@dataclass(frozen=True, slots=True)
class Paused:
    """An operator stopped or resumed the intake of all queues, or of one."""

    paused: bool
    queue: str = ""
    """The queue; empty for all."""


class DrainPhase(StrEnum):
    """How far the engine has come in stopping."""

    STARTED = "started"
    POLLS_JOINED = "polls_joined"
    DEADLINE = "deadline"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Drain:
    """The engine is stopping."""

    phase: DrainPhase
    held: int
    running: int
    seconds: float = 0.0


Event: TypeAlias = (
    Polled
    | Attempted
    | Settled
    | Extended
    | SettlementFailed
    | NotificationAbandoned
    | BreakerChanged
    | Paused
    | Drain
)
Observer: TypeAlias = Callable[[Event], None]
