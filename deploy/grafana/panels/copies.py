"""Copies of objects."""

from panels.panel import EVERY, I, Panel, quantile, rate

COPIES = [
    Panel(
        title="Bytes copied",
        shows="Bytes copied each second, over all replicas.",
        do="No limit. 0 while recovery messages run: see Calls to AWS.",
        queries={f"sum(rate(orca_daemon_copy_bytes_total{I}{EVERY}))": "bytes"},
        unit="Bps",
        runbook="tuning.md#scaling",
        width=6,
    ),
    Panel(
        title="Copies",
        shows="Copies that ended each second, by outcome; skipped: the target had the object.",
        do="No limit, but failed should be 0: attempt.failed in the log has the reason.",
        queries={rate("copy_seconds_count", "outcome", I): "{{outcome}}"},
        unit="ops",
        runbook="OrcaDaemonRetrying",
        width=6,
    ),
    Panel(
        title="Copy time",
        shows="95 % of copies, their verification included, take at most so long.",
        do="No limit. For large files raise copies.parts, if it is set.",
        queries={quantile(0.95, "copy_seconds", "outcome", I): "{{outcome}}"},
        unit="s",
        runbook="tuning.md#scaling",
        width=6,
    ),
    Panel(
        title="Parts in flight",
        shows="Parts of large copies that are being copied, over all replicas.",
        do="No limit. At copies.parts, or 256, for each replica: that limits the speed.",
        queries={f"sum(orca_daemon_copy_parts_in_flight{I})": "parts"},
        runbook="tuning.md#scaling",
        width=6,
    ),
]
