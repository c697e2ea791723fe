"""Comparisons of S3 with the catalog: differences of each bucket, and when it was last compared."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from orca_daemon.ops.metrics.labels import PREFIX, filled

KINDS = ("phantom", "orphan", "mismatch")
SIDES = ("listing", "catalog")
OUTCOMES = ("success", "rejected", "failed", "down")
_MINUTES = (1, 5, 15, 60, 300, 900, 3600, 10_800, 36_000)


class ReconcileMetrics:
    """Of each bucket only the latest report counts; buckets are few, so the label is bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.differences = Gauge(
            f"{PREFIX}_reconcile_differences",
            "Rows in the latest report of a bucket, by kind of difference.",
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
            "Unix time at which the latest report of a bucket was finished.",
            ["bucket"],
            registry=registry,
        )
        self.rows = filled(
            Counter(
                f"{PREFIX}_reconcile_rows",
                "Rows compared: objects of listings, files of the catalog.",
                ["side"],
                registry=registry,
            ),
            SIDES,
        )
        self.speed = Gauge(
            f"{PREFIX}_reconcile_rows_per_second",
            "Rows of both sides per second in the latest comparison of a bucket, from manifest to commit.",
            ["bucket"],
            registry=registry,
        )
        self.peak = Gauge(
            f"{PREFIX}_reconcile_peak_memory_bytes",
            "Peak memory of the child process in the latest comparison of a bucket.",
            ["bucket"],
            registry=registry,
        )
        self.duration = filled(
            Histogram(
                f"{PREFIX}_reconcile_duration_seconds",
                "Duration of one attempt to compare, including the wait for another process's comparison.",
                ["outcome"],
                buckets=_MINUTES,
                registry=registry,
            ),
            OUTCOMES,
        )
        self.running = Gauge(
            f"{PREFIX}_reconcile_running",
            "Comparisons running or waiting for another one to end.",
            registry=registry,
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
        """Set when the latest report of a bucket was finished, and its number of differences of each kind."""
        self.last_success.labels(bucket).set(finished)
        for kind in KINDS:
            self.differences.labels(bucket, kind).set(differences[kind])
