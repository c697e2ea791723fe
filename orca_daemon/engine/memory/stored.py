"""A message on the queue, and one delivery of it."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from orca_daemon.engine.size import Attributes


class State(Enum):
    """Where a message is in its life."""

    DELAYED = "delayed"
    VISIBLE = "visible"
    IN_FLIGHT = "in flight"
    GONE = "gone"


@dataclass(slots=True, eq=False, kw_only=True)
class Stored:
    """A message as the queue keeps it.  Times are seconds by the queue's clock."""

    id: str
    sequence: int
    body: str
    attributes: Attributes
    group: str | None = None
    deduplication_id: str | None = None
    trace: str | None = None
    """The X-Ray header that it was sent with."""
    sent_at: float = 0.0
    state: State = State.VISIBLE
    receipt: str = ""
    """The handle of its latest delivery, also after that delivery's lease."""
    receive_count: int = 0
    first_received_at: float = 0.0
    received_at: float = 0.0
    modified: int = 0
    """How often a receiver changed its visibility: a replayed receive must find it unchanged."""
    came_from: str | None = None
    """The name of the queue that a redrive policy moved it from."""


class Received(NamedTuple):
    """One delivery: what the receiver learns."""

    message: Stored
    receipt: str
    receive_count: int
    first_received_at: float


class SentMessage(NamedTuple):
    """What the sender learns."""

    id: str
    sequence: int
