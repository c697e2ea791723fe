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
    Panel(
        title="Files that S3 is restoring",
        shows="Files of open jobs that S3 has not restored yet, by tier; read from the database.",
        do="No limit: S3 takes minutes to two days, by tier and class.",
        queries={f"max by (tier) (orca_daemon_restores_in_progress{I})": "{{tier}}"},
    ),
    Panel(
        title="Age of the oldest restore",
        shows="Time since the oldest restore that S3 has not completed was asked for.",
        do="Red from 60 hours: its event may have been lost; orca-daemon jobs --stuck 48h lists the jobs.",
        queries={f"max(orca_daemon_restore_oldest_seconds{I})": "age"},
        unit="s",
        runbook="OrcaDaemonRestoreOverdue",
        red=216_000,
    ),
    Panel(
        title="Restored copies that expire soon",
        shows="Restored copies that expire within a day and are not at their destination.",
        do="Red from 1: once expired, each has to be restored and paid for again.",
        queries={f"max(orca_daemon_restored_copies_expiring{I})": "copies"},
        runbook="OrcaDaemonRestoredCopiesExpiring",
        red=1,
    ),
    Panel(
        title="Files of restore requests",
        shows="Files of restore requests, by what was done for each.",
        do="No limit. fail: objects that do not exist or may not be read.",
        queries={rate("restore_files_total", "step", I): "{{step}}"},
        unit="ops",
    ),
]
