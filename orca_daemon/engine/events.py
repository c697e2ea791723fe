"""Everything that happens in the engine, as values: metrics, logs and tests are made of these.

Event and field names are permanent: dashboards and alerts stand on them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from orca_daemon.engine.message import Envelope


@dataclass(frozen=True, slots=True)
class Polled:
    """A receive returned.  `outcome` is `messages`, `empty`, `throttled` or `error`."""

    queue: str
    outcome: str
    messages: tuple[Envelope, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Attempted:
    """A handler was called with a run and came back.  `error` is None where the work is durable."""

    queue: str
    envelopes: tuple[Envelope, ...]
    attempt: int
    seconds: float
    error: BaseException | None = None
    outcome: str = "done"
    """`done`, `failed`, `rejected`, `refused`, `down`, `early`, `lost`, `expired`, `ended` (the time of the
    delivery was over) or `drained`."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A message left the process.

    `outcome` is `deleted`, `dead_lettered`, `released`, `lease_lost`, `duplicate` (the same message came
    again while it was in flight) or `hidden` (left to its lease, because its work may yet become durable).
    """

    queue: str
    envelope: Envelope
    outcome: str
    reason: str = ""
    attempts: int = 0
    held_seconds: float = 0.0
    lease_left: float = 0.0
    work_seconds: float = 0.0
    facts: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    """Class of the error for which a message was dead-lettered."""
    cause: str = ""
    """Why it was dead-lettered: `rejected` (no retry can help), `attempts` (there were too many), or
    `unproven` (it failed alone at a dependency for too long)."""


@dataclass(frozen=True, slots=True)
class Extended:
    """The keeper asked for longer leases.  `outcome` is `done`, `gone` or `failed`."""

    queue: str
    outcome: str
    count: int


@dataclass(frozen=True, slots=True)
class SettlementFailed:
    """A delete, release, dead letter or `gave_up` did not succeed; it is tried again while the lease holds.

    `operation` is `delete`, `release`, `dead_letter` or `gave_up`.
    """

    queue: str
    operation: str
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
    """An operator stopped or resumed the intake of all queues."""

    paused: bool


@dataclass(frozen=True, slots=True)
class Drain:
    """The engine is stopping.  `phase` is `started`, `polls_joined`, `released`, `deadline` or `finished`."""

    phase: str
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
