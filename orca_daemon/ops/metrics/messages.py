"""Messages: what was received, how it left, how long it was in flight."""

import time
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from orca_daemon.engine.events import (
    Cause,
    Extended,
    NotificationAbandoned,
    Operation,
    Polled,
    Settled,
    SettledOutcome,
    SettlementFailed,
)
from orca_daemon.engine.source import EntryOutcome
from orca_daemon.ops.metrics.labels import PREFIX, filled

OUTCOMES = tuple(SettledOutcome)
REASONS = tuple(Cause)
OPERATIONS = tuple(Operation)
EXTENSIONS = tuple(EntryOutcome)
TRIES = (1, 2, 3, 5, 8, 13)
DELAYS = (0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400)
LEASES = (0, 5, 10, 20, 40, 60, 80, 100, 120, 300, 900)


class MessageMetrics:
    """Received = settled + held: operators check that nothing vanishes by these."""

    def __init__(
        self, registry: CollectorRegistry, queues: Iterable[str], wall: Callable[[], float] = time.time
    ) -> None:
        queues = tuple(queues)
        self._wall = wall
        self.received = filled(
            Counter(
                f"{PREFIX}_messages_received", "Deliveries taken from a queue.", ["queue"], registry=registry
            ),
            queues,
        )
        self.settled = filled(
            Counter(
                f"{PREFIX}_messages_settled",
                "Deliveries that left the process, by outcome.",
                ["queue", "outcome"],
                registry=registry,
            ),
            queues,
            OUTCOMES,
        )
        self.dead_lettered = filled(
            Counter(
                f"{PREFIX}_dlq_messages",
                "Messages moved to a dead-letter queue: rejected, out of attempts, or failing alone.",
                ["queue", "reason"],
                registry=registry,
            ),
            queues,
            REASONS,
        )
        self.abandoned = filled(
            Counter(
                f"{PREFIX}_notifications_abandoned",
                "Messages dead-lettered although `gave_up`, which notifies the requester, failed.",
                ["queue"],
                registry=registry,
            ),
            queues,
        )
        self.attempts = _per_queue(
            registry, queues, "message_attempts", "Failed attempts of a message when it left.", TRIES
        )
        self.receives = _per_queue(
            registry, queues, "message_receives", "Receive count of a message when it left.", TRIES
        )
        self.delay = _per_queue(
            registry, queues, "queue_delay_seconds", "Time from being sent to being received.", DELAYS
        )
        self.held = _per_queue(
            registry, queues, "held_seconds", "Time from being received to having left.", DELAYS
        )
        self.lease_left = _per_queue(
            registry, queues, "lease_remaining_seconds", "Lease left when a message left.", LEASES
        )
        self.extensions = filled(
            Counter(
                f"{PREFIX}_lease_extensions",
                "Leases that were to be extended, by outcome.",
                ["queue", "outcome"],
                registry=registry,
            ),
            queues,
            EXTENSIONS,
        )
        self.settlement_failures = filled(
            Counter(
                f"{PREFIX}_settlement_failures",
                "Entries whose settlement failed and is tried again.",
                ["queue", "operation"],
                registry=registry,
            ),
            queues,
            OPERATIONS,
        )

    def polled(self, event: Polled) -> None:
        """Messages came in."""
        self.received.labels(event.queue).inc(len(event.messages))
        now = self._wall()
        for envelope in event.messages:
            if envelope.sent_at:
                # Clocks differ: a message from the future was sent just now.
                self.delay.labels(event.queue).observe(max(0.0, now - envelope.sent_at))

    def message_settled(self, event: Settled) -> None:
        """A message left."""
        self.settled.labels(event.queue, event.outcome).inc()
        self.attempts.labels(event.queue).observe(event.attempts)
        self.receives.labels(event.queue).observe(event.envelope.receive_count)
        self.held.labels(event.queue).observe(event.held_seconds)
        self.lease_left.labels(event.queue).observe(event.lease_left)
        if event.outcome is SettledOutcome.DEAD_LETTERED:
            self.dead_lettered.labels(event.queue, event.cause or Cause.ATTEMPTS).inc()

    def notification_abandoned(self, event: NotificationAbandoned) -> None:
        """A message is dead-lettered without its `gave_up`, which failed too often."""
        self.abandoned.labels(event.queue).inc()

    def extended(self, event: Extended) -> None:
        """The keeper asked for longer leases."""
        self.extensions.labels(event.queue, event.outcome).inc(event.count)

    def not_settled(self, event: SettlementFailed) -> None:
        """A settlement is to be repeated."""
        self.settlement_failures.labels(event.queue, event.operation).inc(event.count)


def _per_queue(
    registry: CollectorRegistry, queues: tuple[str, ...], name: str, text: str, buckets: tuple[float, ...]
) -> Histogram:
    return filled(Histogram(f"{PREFIX}_{name}", text, ["queue"], buckets=buckets, registry=registry), queues)
