"""Messages: number received, outcome, time in flight."""

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
from orca_daemon.ops.metrics.labels import PREFIX, filled, series_of

OUTCOMES = tuple(SettledOutcome)
REASONS = tuple(Cause)
OPERATIONS = tuple(Operation)
EXTENSIONS = tuple(EntryOutcome)
TRIES = (1, 2, 3, 5, 8, 13)
DELAYS = (0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400)
LEASES = (0, 5, 10, 20, 40, 60, 80, 100, 120, 300, 900)


class MessageMetrics:
    """Received = settled + held: by this equation operators check that no message is lost."""

    def __init__(
        self, registry: CollectorRegistry, queues: Iterable[str], wall: Callable[[], float] = time.time
    ) -> None:
        queues = tuple(queues)
        self._wall = wall
        self.received = filled(
            Counter(
                f"{PREFIX}_messages_received",
                "Deliveries received from a queue.",
                ["queue"],
                registry=registry,
            ),
            queues,
        )
        self.settled = filled(
            Counter(
                f"{PREFIX}_messages_settled",
                "Deliveries that are no longer in flight, by outcome.",
                ["queue", "outcome"],
                registry=registry,
            ),
            queues,
            OUTCOMES,
        )
        self.dead_lettered = filled(
            Counter(
                f"{PREFIX}_dlq_messages",
                "Messages dead-lettered: rejected, out of attempts, or waiting past engine.patience.",
                ["queue", "reason"],
                registry=registry,
            ),
            queues,
            REASONS,
        )
        self.abandoned = filled(
            Counter(
                f"{PREFIX}_notifications_abandoned",
                "Messages dead-lettered without notifying the requester, as `gave_up` failed five times.",
                ["queue"],
                registry=registry,
            ),
            queues,
        )
        self.attempts = _per_queue(
            registry, queues, "message_attempts", "Failed attempts of a message when it was settled.", TRIES
        )
        self.receives = _per_queue(
            registry,
            queues,
            "message_receives",
            "Receive count (SQS) of a message when it was settled.",
            TRIES,
        )
        self.delay = _per_queue(
            registry, queues, "queue_delay_seconds", "Time from sending a message to receiving it.", DELAYS
        )
        self.held = _per_queue(
            registry, queues, "held_seconds", "Time from receiving a message to settling it.", DELAYS
        )
        self.lease_left = _per_queue(
            registry,
            queues,
            "lease_remaining_seconds",
            "Remaining lease of a message when it was settled.",
            LEASES,
        )
        self.extensions = filled(
            Counter(
                f"{PREFIX}_lease_extensions",
                "Requests to extend a lease, by outcome.",
                ["queue", "outcome"],
                registry=registry,
            ),
            queues,
            EXTENSIONS,
        )
        self.settlement_failures = filled(
            Counter(
                f"{PREFIX}_settlement_failures",
                "Failed attempts to settle a message, by operation; each is repeated.",
                ["queue", "operation"],
                registry=registry,
            ),
            queues,
            OPERATIONS,
        )
        # What every message counts.
        self._settled, self._delay = series_of(self.settled), series_of(self.delay)
        self._attempts, self._receives = series_of(self.attempts), series_of(self.receives)
        self._held, self._lease_left = series_of(self.held), series_of(self.lease_left)

    def polled(self, event: Polled) -> None:
        """A receive returned messages."""
        self.received.labels(event.queue).inc(len(event.messages))
        now, delay = self._wall(), self._delay(event.queue)
        for envelope in event.messages:
            if envelope.sent_at:
                # Clocks differ: count a message from the future as sent now.
                delay.observe(max(0.0, now - envelope.sent_at))

    def message_settled(self, event: Settled) -> None:
        """A message was settled."""
        queue = event.queue
        self._settled(queue, event.outcome).inc()
        self._attempts(queue).observe(event.attempts)
        self._receives(queue).observe(event.envelope.receive_count)
        self._held(queue).observe(event.held_seconds)
        self._lease_left(queue).observe(event.lease_left)
        if event.outcome is SettledOutcome.DEAD_LETTERED:
            self.dead_lettered.labels(queue, event.cause or Cause.ATTEMPTS).inc()

    def notification_abandoned(self, event: NotificationAbandoned) -> None:
        """A message is dead-lettered without notifying its requester, because `gave_up` failed too often."""
        self.abandoned.labels(event.queue).inc()

    def extended(self, event: Extended) -> None:
        """The lease keeper asked SQS to extend leases."""
        self.extensions.labels(event.queue, event.outcome).inc(event.count)

    def not_settled(self, event: SettlementFailed) -> None:
        """An attempt to settle messages failed and will be repeated."""
        self.settlement_failures.labels(event.queue, event.operation).inc(event.count)


def _per_queue(
    registry: CollectorRegistry, queues: tuple[str, ...], name: str, text: str, buckets: tuple[float, ...]
) -> Histogram:
    return filled(Histogram(f"{PREFIX}_{name}", text, ["queue"], buckets=buckets, registry=registry), queues)
