"""Exports of tables."""

from panels.panel import EVERY, I, Panel, quantile

EXPORTS = [
    Panel(
        title="Rows exported",
        shows="Rows written to Parquet each second, over all replicas.",
        do="No limit. It is 0 between exports.",
        queries={f"sum(rate(orca_daemon_export_rows_total{I}{EVERY}))": "rows"},
        unit="ops",
        width=6,
    ),
    Panel(
        title="Bytes exported",
        shows="Bytes of Parquet written each second, over all replicas.",
        do="No limit. It is 0 between exports.",
        queries={f"sum(rate(orca_daemon_export_bytes_total{I}{EVERY}))": "bytes"},
        unit="Bps",
        width=6,
    ),
    Panel(
        title="Export time of a table",
        shows="95 % of exports of one table take at most so long, by outcome.",
        do="No limit. failed: attempt.failed in the log has the reason.",
        queries={quantile(0.95, "export_seconds", "outcome", I): "{{outcome}}"},
        unit="s",
        runbook="OrcaDaemonRetrying",
        width=6,
    ),
    Panel(
        title="Time since the latest export",
        shows="Time since each table was last exported by a replica that runs, with or without new rows.",
        do="No limit. Longer than your schedule: no message came, or it was dead-lettered.",
        queries={
            f"time() - max by (table) (orca_daemon_export_last_success_timestamp_seconds{I})": "{{table}}"
        },
        unit="s",
        runbook="OrcaDaemonDeadLetters",
        width=6,
    ),
]
