"""What lies outside: the queues themselves, AWS, the connection pool, the recoveries in the database."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge, Histogram

from orca_daemon.engine.source import QueueFacts
from orca_daemon.ops.metrics.labels import PREFIX, filled

AWS_OUTCOMES = ("ok", "throttled", "error")
STATUSES = ("pending", "staged", "success", "error")
"""As the table `recovery_status` has them."""
CALLS = (0.01, 0.05, 0.25, 1, 5, 15, 60)
WAITS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10)


class QueueMetrics:
    """What the queues say about themselves."""

    def __init__(self, registry: CollectorRegistry, queues: Iterable[str]) -> None:
        queues = tuple(queues)

        def per_queue(name: str, text: str) -> Gauge:
            return filled(Gauge(f"{PREFIX}_{name}", text, ["queue"], registry=registry), queues)

        self.visible = per_queue("queue_visible_messages", "Messages waiting on the queue, roughly.")
        self.inflight = per_queue("queue_inflight_messages", "Messages received and not deleted, roughly.")
        self.delayed = per_queue("queue_delayed_messages", "Messages not yet to be received, roughly.")
        self.config = Gauge(
            f"{PREFIX}_queue_config_info",
            "Always 1; the labels say how the queue is set up.",
            ["queue", "visibility", "max_receive_count", "fifo", "dead_letter"],
            registry=registry,
        )

    def configured(self, queue: str, facts: QueueFacts) -> None:
        """The queue was looked up."""
        self.config.labels(
            queue,
            f"{facts.visibility:g}",
            "none" if facts.max_receives is None else str(facts.max_receives),
            str(facts.fifo).lower(),
            str(facts.dead_letter is not None).lower(),
        ).set(1)

    def depth(self, queue: str, *, visible: int, inflight: int, delayed: int) -> None:
        """The queue was asked how much it holds."""
        self.visible.labels(queue).set(visible)
        self.inflight.labels(queue).set(inflight)
        self.delayed.labels(queue).set(delayed)


class AwsMetrics:
    """Calls to AWS, retries of the client included."""

    def __init__(self, registry: CollectorRegistry, operations: Iterable[str]) -> None:
        self._operations = frozenset(operations)
        self.duration = filled(
            Histogram(
                f"{PREFIX}_aws_request_duration_seconds",
                "Time of one call to AWS; long polls wait on purpose.",
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
            "Time that a transaction waited for a thread and a connection.",
            buckets=WAITS,
            registry=registry,
        )
        self.in_use = Gauge(
            f"{PREFIX}_db_pool_in_use", "Transactions that have a connection.", registry=registry
        )


class RecoveryMetrics:
    """What operators lose sleep over: recoveries that do not end."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.files = filled(
            Gauge(
                f"{PREFIX}_recovery_files",
                "Files of the recoveries that are open or were requested within a day.",
                ["status"],
                registry=registry,
            ),
            STATUSES,
        )
        self.oldest_open = Gauge(
            f"{PREFIX}_oldest_open_recovery_timestamp_seconds",
            "When the oldest recovery that is neither complete nor failed was requested; 0 without one.",
            registry=registry,
        )
        self.read = Gauge(
            f"{PREFIX}_recovery_files_read_timestamp_seconds",
            "Unix time of the last successful read of the recovery counts (daemon start time until the first "
            "read; 0 if no database is configured).",
            registry=registry,
        )

    def asking(self, wall: float) -> None:
        """The database will be asked from `wall` on: an alert has something to count from."""
        self.read.set(wall)

    def show(self, files: Mapping[str, int], oldest_open: float | None, wall: float) -> None:
        """Set the gauges to what the database said at `wall`."""
        for status in STATUSES:
            self.files.labels(status).set(files.get(status, 0))
        self.oldest_open.set(oldest_open or 0)
        self.read.set(wall)
