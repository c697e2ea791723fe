"""Recoveries: what is open, failed or late."""

from panels.panel import EVERY, I, Panel, rate

RECOVERIES = [
    Panel(
        title="Files of recoveries",
        shows="Files of recoveries that are open or were requested within the last day, by status; read from "
        "the database, alike by each replica.",
        do="No limit, but error should be 0: orca-daemon jobs --status failed lists the jobs.",
        queries={f"max by (status) (orca_daemon_recovery_files{I})": "{{status}}"},
        runbook="OrcaDaemonRecoveriesFailed",
    ),
    Panel(
        title="Age of the oldest open recovery",
        shows="Time since the oldest open recovery was requested.",
        do="Red from three days: orca-daemon jobs --stuck 24h lists such jobs, orca-daemon recover ID "
        "asks again.",
        queries={f"time() - (min(orca_daemon_oldest_open_recovery_timestamp_seconds{I} > 0))": "age"},
        unit="s",
        runbook="OrcaDaemonRecoveryOverdue",
        red=259_200,
    ),
    Panel(
        title="Time since the recoveries were counted",
        shows="Time since a replica last read the two panels beside this one from the database.",
        do="Red from a quarter of an hour: the panels are old. Run orca-daemon db upgrade; look for "
        "gauge.unread.",
        queries={f"time() - max(orca_daemon_recovery_files_read_timestamp_seconds{I} > 0)": "age"},
        unit="s",
        runbook="OrcaDaemonRecoveriesUnknown",
        red=900,
    ),
    Panel(
        title="Restore events",
        shows="Records of S3's restore events, by what became of them.",
        do="No limit. unknown: objects that no job asked for; expired: copies that came too late.",
        queries={rate("restore_events_total", "outcome", I): "{{outcome}}"},
        unit="ops",
        runbook="OrcaDaemonRecoveryOverdue",
    ),
    Panel(
        title="Stale status updates",
        shows="Updates that changed nothing, because a later one had been stored.",
        do="No limit. Many of them: a producer sends late, or an old queue is being redriven.",
        queries={f"sum(rate(orca_daemon_status_stale_updates_total{I}{EVERY}))": "stale"},
        unit="ops",
    ),
]
