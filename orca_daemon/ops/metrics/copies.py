"""Copies of objects: number, size, duration, and the outcomes of restore events."""

from collections.abc import Callable
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from orca_daemon.ops.metrics.labels import PREFIX, SECONDS, filled

EVENTS = ("recovered", "routed", "duplicate", "restoring", "expired", "unknown", "test", "empty")


class CopyOutcome(StrEnum):
    """How one copy ended; the label of a metric."""

    COPIED = "copied"
    SKIPPED = "skipped"
    """The target had the same content already."""
    FAILED = "failed"


class CopyMetrics:
    """Counted once for each copy to one destination; `skipped` if the target already held the same object."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.bytes = Counter(
            f"{PREFIX}_copy_bytes", "Bytes copied, counted after each part.", registry=registry
        )
        self.seconds = filled(
            Histogram(
                f"{PREFIX}_copy_seconds",
                "Duration of one copy including verification, by outcome.",
                ["outcome"],
                buckets=SECONDS,
                registry=registry,
            ),
            CopyOutcome,
        )
        self.events = filled(
            Counter(
                f"{PREFIX}_restore_events",
                "Records of S3 events, by outcome.",
                ["outcome"],
                registry=registry,
            ),
            EVENTS,
        )
        self.parts = Gauge(
            f"{PREFIX}_copy_parts_in_flight", "Parts of multipart copies in progress.", registry=registry
        )

    def ended(self, outcome: CopyOutcome, seconds: float) -> None:
        """A copy ended."""
        self.seconds.labels(outcome).observe(seconds)

    def event(self, outcome: str) -> None:
        """A record of an S3 event was processed."""
        self.events.labels(outcome).inc()

    def watch(self, in_flight: Callable[[], float]) -> None:
        """Set the function that each scrape reads the number of parts from."""
        self.parts.set_function(in_flight)
