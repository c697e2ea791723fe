"""Comparisons of S3 with the catalog."""

from panels.panel import I, Panel, quantile, rate

RECONCILIATION = [
    Panel(
        title="Differences of the latest report",
        shows="Rows of the latest report of each bucket, by kind; alike for each replica.",
        do="No limit, but phantom should be 0: such files are in the catalog and not in S3.",
        queries={f"max by (bucket, kind) (orca_daemon_reconcile_differences{I})": "{{bucket}} {{kind}}"},
        runbook="OrcaDaemonPhantoms",
    ),
    Panel(
        title="Objects that were not compared",
        shows="Listed objects that the latest comparison could not compare.",
        do="Red from 1: the log line of the comparison says why.",
        queries={f"max by (bucket) (orca_daemon_reconcile_not_compared{I})": "{{bucket}}"},
        runbook="OrcaDaemonNoReport",
        red=1,
    ),
    Panel(
        title="Time since the latest report",
        shows="Time since each bucket was last compared with the catalog.",
        do="Red from eight days: orca-daemon reports prints failed jobs; without any, no inventory came.",
        queries={
            "time() - "
            f"max by (bucket) (orca_daemon_reconcile_last_success_timestamp_seconds{I})": "{{bucket}}"
        },
        unit="s",
        runbook="OrcaDaemonNoReport",
        red=691_200,
    ),
    Panel(
        title="Comparisons under way",
        shows="Comparisons that run, or wait for one of another replica to end.",
        do="No limit. If it stays and nothing finishes: reconcile.progress and reconcile.waits in the log.",
        queries={f"sum(orca_daemon_reconcile_running{I})": "comparisons"},
        runbook="OrcaDaemonNoReport",
    ),
    Panel(
        title="Comparison time",
        shows="95 % of attempts to compare take at most so long, by outcome.",
        do="No limit. If it grew, look at Rows of the latest comparison and at its memory.",
        queries={quantile(0.95, "reconcile_duration_seconds", "outcome", I): "{{outcome}}"},
        unit="s",
        runbook="OrcaDaemonNoReport",
    ),
    Panel(
        title="Rows compared",
        shows="Rows of listings and of the catalog compared each second, over all replicas.",
        do="No limit.  It is 0 between comparisons.",
        queries={rate("reconcile_rows_total", "side", I): "{{side}}"},
        unit="ops",
        runbook="OrcaDaemonNoReport",
    ),
    Panel(
        title="Speed of the latest comparison",
        shows="Rows of both sides each second in the latest comparison of a bucket.",
        do="No limit. If it fell, Postgres or S3 has become slower.",
        queries={f"max by (bucket) (orca_daemon_reconcile_rows_per_second{I})": "{{bucket}}"},
        unit="ops",
        runbook="tuning.md#measured",
    ),
    Panel(
        title="Peak memory of the child",
        shows="Peak memory of the child process in the latest comparison of a bucket.",
        do="No limit. Near the container's limit: raise it, or lower reconcile.memory_mib.",
        queries={f"max by (bucket) (orca_daemon_reconcile_peak_memory_bytes{I})": "{{bucket}}"},
        unit="bytes",
        runbook="OrcaDaemonRestarting",
    ),
]
