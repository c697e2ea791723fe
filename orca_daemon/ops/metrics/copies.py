"""Copies of objects: how many, how large, how long, and what restore events came to."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from orca_daemon.ops.metrics.labels import PREFIX, SECONDS, filled

OUTCOMES = ("copied", "skipped", "failed")
EVENTS = ("recovered", "routed", "duplicate", "restoring", "expired", "unknown", "test", "empty")


class CopyMetrics:
    """Counted once per copy to one destination; `skipped` targets held the same already."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.bytes = Counter(f"{PREFIX}_copy_bytes", "Bytes copied, part by part.", registry=registry)
        self.seconds = filled(
            Histogram(
                f"{PREFIX}_copy_seconds",
                "Time of one copy, verification included.",
                ["outcome"],
                buckets=SECONDS,
                registry=registry,
            ),
            OUTCOMES,
        )
        self.events = filled(
            Counter(
                f"{PREFIX}_restore_events",
                "Records of S3 events, by what they came to.",
                ["outcome"],
                registry=registry,
            ),
            EVENTS,
        )
        self.parts = Gauge(
            f"{PREFIX}_copy_parts_in_flight", "Parts that S3 is copying now.", registry=registry
        )

    def ended(self, outcome: str, seconds: float) -> None:
        """A copy came to an end; `outcome` is one of `OUTCOMES`."""
        self.seconds.labels(outcome).observe(seconds)

    def event(self, outcome: str) -> None:
        """A record of an S3 event came to something; `outcome` is one of `EVENTS`."""
        self.events.labels(outcome).inc()

    def watch(self, in_flight: Callable[[], float]) -> None:
        """Read the number of parts off this at each scrape."""
        self.parts.set_function(in_flight)
