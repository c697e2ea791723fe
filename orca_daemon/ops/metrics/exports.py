"""Exports of tables: number, size, duration, and the time of each table's last successful export."""

import time
from collections.abc import Callable
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from orca_daemon.ops.metrics.labels import PREFIX, SECONDS, filled


class ExportOutcome(StrEnum):
    """How the export of one table ended; the label of a metric."""

    WRITTEN = "written"
    NOTHING_NEW = "nothing_new"
    FAILED = "failed"


class ExportMetrics:
    """Counted once for each table of a run.  Tables come from the allow-list, so the label is bounded."""

    def __init__(self, registry: CollectorRegistry, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.seconds = filled(
            Histogram(
                f"{PREFIX}_export_seconds",
                "Duration of one table's export, by outcome.",
                ["outcome"],
                buckets=SECONDS,
                registry=registry,
            ),
            ExportOutcome,
        )
        self.rows = Counter(f"{PREFIX}_export_rows", "Rows written to Parquet.", registry=registry)
        self.bytes = Counter(f"{PREFIX}_export_bytes", "Bytes of Parquet written.", registry=registry)
        self.last = Gauge(
            f"{PREFIX}_export_last_success_timestamp_seconds",
            "Unix time of a table's last successful export, with or without new rows.",
            ["table"],
            registry=registry,
        )

    def ended(self, table: str, outcome: ExportOutcome, *, rows: int, size: int, seconds: float) -> None:
        """The export of one table ended; `size` in bytes."""
        self.seconds.labels(outcome).observe(seconds)
        self.rows.inc(rows)
        self.bytes.inc(size)
        if outcome is not ExportOutcome.FAILED:
            self.last.labels(table).set(self._wall())
