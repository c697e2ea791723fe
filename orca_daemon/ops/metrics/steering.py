"""Steering by way of the database: whether it works, what operators did, and what a pause endangers."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from orca_daemon.ops.metrics.labels import PREFIX, filled

VERBS = ("pause", "resume", "recover", "redrive", "delete", "export", "reconcile", "other")
RECORDS = ("written", "dropped")


class SteeringMetrics:
    """Labels are verbs of commands and names of queues."""

    def __init__(self, registry: CollectorRegistry, queues: Iterable[str]) -> None:
        queues = tuple(queues)
        self.up = Gauge(
            f"{PREFIX}_steering_up",
            "1 while this daemon reads from the database what operators want; else what it read last holds.",
            registry=registry,
        )
        self.actions = filled(
            Counter(
                f"{PREFIX}_operator_actions",
                "Actions of operators that ended, as read in the database; each daemon reads all of them.",
                ["what"],
                registry=registry,
            ),
            VERBS,
        )
        self.records = filled(
            Counter(
                f"{PREFIX}_dead_letter_records",
                "Dead letters that this daemon recorded in the database, or dropped for want of room.",
                ["outcome"],
                registry=registry,
            ),
            RECORDS,
        )
        self.retention = filled(
            Gauge(
                f"{PREFIX}_queue_retention_seconds",
                "Seconds after which SQS deletes a message from the queue.",
                ["queue"],
                registry=registry,
            ),
            queues,
        )
        self.oldest = filled(
            Gauge(
                f"{PREFIX}_paused_queue_oldest_timestamp_seconds",
                "About when the oldest message on a paused queue was sent, as Unix time; 0 if it is not "
                "paused, or empty.",
                ["queue"],
                registry=registry,
            ),
            queues,
        )

    def acted(self, what: str) -> None:
        """An operator's action ended."""
        self.actions.labels(what if what in VERBS else "other").inc()
