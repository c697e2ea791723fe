"""Restores from the archive: what was done for each file, and what is under way, read from the database."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from orca_daemon.ops.metrics.labels import PREFIX, filled

STEPS = ("ask", "wait", "extend", "copy", "fail")
TIERS = ("Standard", "Bulk", "Expedited")


class RestoreMetrics:
    """Counted once for each file of a request."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.files = filled(
            Counter(
                f"{PREFIX}_restore_files",
                "Files of restore requests: S3 was asked (ask), was restoring it already (wait), keeps its "
                "restored copy longer (extend), or did not need to be asked (copy); or it failed (fail).",
                ["step"],
                registry=registry,
            ),
            STEPS,
        )
        self.in_progress = filled(
            Gauge(
                f"{PREFIX}_restores_in_progress",
                "Files that S3 is restoring, by tier.",
                ["tier"],
                registry=registry,
            ),
            TIERS,
        )
        self.oldest = Gauge(
            f"{PREFIX}_restore_oldest_seconds",
            "Age of the oldest restore that S3 has not completed; 0 if there is none.",
            registry=registry,
        )
        self.expiring = Gauge(
            f"{PREFIX}_restored_copies_expiring",
            "Restored copies that expire within a day and are not copied to their destination yet.",
            registry=registry,
        )

    def ended(self, step: str) -> None:
        """Something was done for a file."""
        self.files.labels(step).inc()

    def set_counts(
        self, in_progress: Mapping[str, int], oldest: float | None, expiring: int, wall: float
    ) -> None:
        """Set the gauges to what was read at `wall`."""
        for tier in TIERS:
            self.in_progress.labels(tier).set(in_progress.get(tier, 0))
        self.oldest.set(0 if oldest is None else max(wall - oldest, 0))
        self.expiring.set(expiring)
