"""What the engine is doing now, as values: health checks and gauges read nothing else.

Times are those of the monotonic clock, in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """One queue, as the engine sees it."""

    name: str
    handler: str
    """Name of the route."""
    last_poll_success: float | None = None
    """When a receive last succeeded, with messages or without; None before the first."""
    poller_moved: float | None = None
    """When a poller last began or ended a receive, well or not: a dead poller does neither."""
    waiting_for_permits: bool = False
    """Whether receives wait because as many messages are in flight as may be."""
    paused: bool = False
    """Whether an operator stopped the intake of this queue, or of all."""
    breaker_open: bool = False
    """Whether a dependency of the route is down, so that nothing is received."""
    held: int = 0
    """Messages in flight, at work or not."""
    running: int = 0
    """Messages whose handler is at work."""
    settling: int = 0
    """Messages whose work is done and whose delete is not confirmed."""
    bytes_held: int = 0
    permits_free: int = 0
    """Messages that may still come before receives have to wait; 0 while they do."""
    groups: int = 0
    """FIFO groups with a message in flight."""
    oldest_held: float | None = None
    """When the oldest message in flight was received; None without one."""
    at_work_since: float | None = None
    """When the oldest attempt under way began; None without one."""
    age_limit: float = 0.0
    """Seconds that one attempt may take; past it the work is cancelled."""
    unproven_since: float | None = None
    """Since when a message has failed at a dependency and waits, because nothing shows whose fault that is:
    the longest such wait; None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageState:
    """One message in flight, with the facts of its log line."""

    queue: str
    id: str
    group: str | None
    phase: str
    received: float
    lease_left: float
    """Seconds; negative if the lease is over."""
    attempts: int
    receives: int
    work_seconds: float
    sent_at: float
    """Seconds since the epoch, by the queue's clock."""
    waits_for: str = ""
    """The place of a dependency that it waits for: `s3 read BUCKET`."""
    reason: str = ""
    """Why it is given up, if it is."""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """The whole engine."""

    started_at: float | None = None
    """When the pollers were started; None until the queues are resolved."""
    draining: bool = False
    paused: bool = False
    """Whether an operator stopped the intake of all queues at once."""
    queues: tuple[QueueState, ...] = ()
    breakers: Mapping[str, float | None] = field(default_factory=dict)
    """Every dependency that a route needs, and since when it, or a place of it, is down; None if it is up."""
    places_down: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By dependency, its places that are down: `read BUCKET`, `write BUCKET`."""

    @property
    def started(self) -> bool:
        """Whether the engine polls, or would if it were not paused."""
        return self.started_at is not None
