"""What is outside the engine: the queues, calls to AWS, the connection pool, recoveries in the database."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge, Histogram

from orca_daemon.engine.source import QueueFacts
from orca_daemon.ops.metrics.labels import PREFIX, filled

AWS_OUTCOMES = ("ok", "throttled", "error")
STATUSES = ("pending", "staged", "success", "error")
"""The values of the table `recovery_status`."""
CALLS = (0.01, 0.05, 0.25, 1, 5, 15, 60)
WAITS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10)


class QueueMetrics:
    """Attributes of the queues (AWS: GetQueueAttributes)."""

    def __init__(self, registry: CollectorRegistry, queues: Iterable[str]) -> None:
        queues = tuple(queues)

        def per_queue(name: str, text: str) -> Gauge:
            return filled(Gauge(f"{PREFIX}_{name}", text, ["queue"], registry=registry), queues)

        self.visible = per_queue(
            "queue_visible_messages", "Approximate number of messages waiting on the queue."
        )
        self.inflight = per_queue(
            "queue_inflight_messages",
            "Approximate number of messages received and not deleted, by all consumers.",
        )
        self.delayed = per_queue(
            "queue_delayed_messages", "Approximate number of messages whose delay has not passed."
        )
        self.dead_letters = per_queue(
            "dead_letter_queue_messages",
            "Approximate number of messages on the dead-letter queue, received ones included.",
        )
        self.dead_letters_since = per_queue(
            "dead_letter_queue_filled_timestamp_seconds",
            "Unix time since which this process has seen the dead-letter queue never empty; 0 while it is.",
        )
        self.dead_letter_retention = per_queue(
            "dead_letter_queue_retention_seconds",
            "Seconds after which SQS deletes a message from the dead-letter queue; 0 if there is none.",
        )
        self._filled: dict[str, float] = {}
        self.config = Gauge(
            f"{PREFIX}_queue_config_info",
            "Always 1; the labels are attributes of the queue.",
            ["queue", "visibility", "max_receive_count", "fifo", "dead_letter"],
            registry=registry,
        )

    def configured(self, queue: str, facts: QueueFacts) -> None:
        """The attributes of a queue were read at the start."""
        self.config.labels(
            queue,
            f"{facts.visibility:g}",
            "none" if facts.max_receives is None else str(facts.max_receives),
            str(facts.fifo).lower(),
            str(facts.dead_letter is not None).lower(),
        ).set(1)

    def depth(self, queue: str, *, visible: int, inflight: int, delayed: int) -> None:
        """The depth of a queue was read."""
        self.visible.labels(queue).set(visible)
        self.inflight.labels(queue).set(inflight)
        self.delayed.labels(queue).set(delayed)

    def dead_letter_queue(self, queue: str, *, messages: int, retention: float, wall: float) -> None:
        """The dead-letter queue of a queue was read at `wall`; `retention` in seconds.

        SQS does not report the age of the oldest message, and receiving one would hide it from an operator.
        The time since which the queue was never seen empty is what can be known without.
        """
        if messages:
            self._filled.setdefault(queue, wall)
        else:
            self._filled.pop(queue, None)
        self.dead_letters.labels(queue).set(messages)
        self.dead_letters_since.labels(queue).set(self._filled.get(queue, 0))
        self.dead_letter_retention.labels(queue).set(retention)


class AwsMetrics:
    """Calls to AWS, including the client's retries."""

    def __init__(self, registry: CollectorRegistry, operations: Iterable[str]) -> None:
        self._operations = frozenset(operations)
        self.duration = filled(
            Histogram(
                f"{PREFIX}_aws_request_duration_seconds",
                "Duration of one call to AWS; a long poll waits on purpose.",
                ["operation", "outcome"],
                buckets=CALLS,
                registry=registry,
            ),
            [*sorted(self._operations), "other"],
            AWS_OUTCOMES,
        )

    def called(self, operation: str, outcome: str, seconds: float) -> None:
        """A call ended; `operation` is `service:Operation`."""
        name = operation if operation in self._operations else "other"
        self.duration.labels(name, outcome).observe(seconds)


class DatabaseMetrics:
    """The connection pool."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.wait = Histogram(
            f"{PREFIX}_db_pool_wait_seconds",
            "Time that a transaction waited for a free connection and its thread.",
            buckets=WAITS,
            registry=registry,
        )
        self.in_use = Gauge(
            f"{PREFIX}_db_pool_in_use", "Connections that run a transaction.", registry=registry
        )


class RecoveryMetrics:
    """Recoveries that are open, read from the database."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.files = filled(
            Gauge(
                f"{PREFIX}_recovery_files",
                "Files of recoveries that are open or were requested within the last day, by status.",
                ["status"],
                registry=registry,
            ),
            STATUSES,
        )
        self.oldest_open = Gauge(
            f"{PREFIX}_oldest_open_recovery_timestamp_seconds",
            "Unix time at which the oldest open recovery was requested; 0 if none is open.",
            registry=registry,
        )
        self.read = Gauge(
            f"{PREFIX}_recovery_files_read_timestamp_seconds",
            "Unix time of the last successful read of the recovery counts (daemon start time until the first "
            "read; 0 if no queue needs the database).",
            registry=registry,
        )

    def start_reading(self, wall: float) -> None:
        """Set the time of the last read to the daemon's start, so that an alert can measure from there."""
        self.read.set(wall)

    def set_counts(self, files: Mapping[str, int], oldest_open: float | None, wall: float) -> None:
        """Set the gauges to what was read at `wall`."""
        for status in STATUSES:
            self.files.labels(status).set(files.get(status, 0))
        self.oldest_open.set(oldest_open or 0)
        self.read.set(wall)
