"""A message as the queue delivers it, and as a handler receives it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

M_co = TypeVar("M_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One delivery of one message.  Times are seconds since the epoch, by the queue's clock."""

    id: str
    receipt: str
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The message attributes of type String or Number, by name."""
    raw_attributes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """All message attributes in the shape that SQS's SendMessage takes."""
    group: str | None = None
    sequence: int = 0
    deduplication_id: str | None = None
    receive_count: int = 1
    sent_at: float = 0.0
    first_received_at: float = 0.0
    trace: str | None = None
    """The X-Ray header of its sender (AWS: AWSTraceHeader), which its dead letter keeps."""
    moved_from: str | None = None
    """The queue from which SQS itself moved it to this one (AWS: DeadLetterQueueSourceArn)."""


@dataclass(frozen=True, slots=True)
class Delivery(Generic[M_co]):
    """What a handler works on: the decoded message and its envelope."""

    message: M_co
    envelope: Envelope
    attempt: int = 1
    """Attempt number within this process, starting at 1."""
    facts: dict[str, str] = field(default_factory=dict)
    """What the handler adds to the message's log line; kept from attempt to attempt.  No secrets."""
    held_seconds: float = 0.0
    """How long this process has had it in flight, by the monotonic clock."""
