"""Comparisons of S3 with the catalog: what differs in each bucket, and since when nobody has looked."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from orca_daemon.ops.metrics.labels import PREFIX, filled

KINDS = ("phantom", "orphan", "mismatch")
SIDES = ("listing", "catalog")
OUTCOMES = ("success", "rejected", "failed", "down")
_MINUTES = (1, 5, 15, 60, 300, 900, 3600, 10_800, 36_000)


class ReconcileMetrics:
    """One report a bucket is the latest; buckets are few."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.differences = Gauge(
            f"{PREFIX}_reconcile_differences",
            "Rows in the latest report of a bucket.",
            ["bucket", "kind"],
            registry=registry,
        )
        self.not_compared = Gauge(
            f"{PREFIX}_reconcile_not_compared",
            "Listed objects that the latest comparison of a bucket could not compare.",
            ["bucket"],
            registry=registry,
        )
        self.last_success = Gauge(
            f"{PREFIX}_reconcile_last_success_timestamp_seconds",
            "When the latest report of a bucket was finished.",
            ["bucket"],
            registry=registry,
        )
        self.rows = filled(
            Counter(
                f"{PREFIX}_reconcile_rows",
                "Rows that were compared: objects of listings, files of the catalog.",
                ["side"],
                registry=registry,
            ),
            SIDES,
        )
        self.speed = Gauge(
            f"{PREFIX}_reconcile_rows_per_second",
            "Rows of both sides by the time of the latest comparison of a bucket, from manifest to commit.",
            ["bucket"],
            registry=registry,
        )
        self.peak = Gauge(
            f"{PREFIX}_reconcile_peak_memory_bytes",
            "Memory of the child of the latest comparison of a bucket, at its largest.",
            ["bucket"],
            registry=registry,
        )
        self.duration = filled(
            Histogram(
                f"{PREFIX}_reconcile_duration_seconds",
                "Time of one attempt to compare, waiting for another process's included.",
                ["outcome"],
                buckets=_MINUTES,
                registry=registry,
            ),
            OUTCOMES,
        )
        self.running = Gauge(
            f"{PREFIX}_reconcile_running", "Comparisons at work or waiting for their turn.", registry=registry
        )

    def compared(
        self,
        bucket: str,
        *,
        listed: int,
        catalogued: int,
        seconds: float,
        peak_mib: int,
        not_compared: int = 0,
    ) -> None:
        """A comparison was committed."""
        self.not_compared.labels(bucket).set(not_compared)
        self.rows.labels("listing").inc(listed)
        self.rows.labels("catalog").inc(catalogued)
        self.speed.labels(bucket).set((listed + catalogued) / seconds if seconds else 0)
        self.peak.labels(bucket).set(peak_mib << 20)

    def show(self, bucket: str, finished: float, differences: Mapping[str, int]) -> None:
        """When the latest report of a bucket was finished, and how much of each kind is in it."""
        self.last_success.labels(bucket).set(finished)
        for kind in KINDS:
            self.differences.labels(bucket, kind).set(differences[kind])
