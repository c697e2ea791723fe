"""Exports of tables: how many, how large, how long, and how old each table's last one is."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from orca_daemon.ops.metrics.labels import PREFIX, SECONDS, filled

OUTCOMES = ("written", "nothing_new", "failed")


class ExportMetrics:
    """Counted once per table of a run.  The tables are those of the allow-list, so the label is bounded."""

    def __init__(self, registry: CollectorRegistry, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.seconds = filled(
            Histogram(
                f"{PREFIX}_export_seconds",
                "Time of one table's export, by what it came to.",
                ["outcome"],
                buckets=SECONDS,
                registry=registry,
            ),
            OUTCOMES,
        )
        self.rows = Counter(f"{PREFIX}_export_rows", "Rows written to Parquet.", registry=registry)
        self.bytes = Counter(f"{PREFIX}_export_bytes", "Bytes of Parquet written.", registry=registry)
        self.last = Gauge(
            f"{PREFIX}_export_last_success_timestamp_seconds",
            "When a table was last exported well, with new rows or without.",
            ["table"],
            registry=registry,
        )

    def ended(self, table: str, outcome: str, *, rows: int, size: int, seconds: float) -> None:
        """A table of a run came to an end; `outcome` is one of `OUTCOMES`, `size` in bytes."""
        self.seconds.labels(outcome).observe(seconds)
        self.rows.inc(rows)
        self.bytes.inc(size)
        if outcome != "failed":
            self.last.labels(table).set(self._wall())
