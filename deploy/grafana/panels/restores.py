"""Restores: what S3 is restoring, and what was done for the files of requests."""

from panels.panel import I, Panel, rate

RESTORES = [
    Panel(
        title="Files that S3 is restoring",
        shows="Files whose restore was asked for and is not completed, by tier; read from the database.",
        do="No limit. orca-daemon jobs lists their jobs.",
        queries={f"max by (tier) (orca_daemon_restores_in_progress{I})": "{{tier}}"},
        runbook="OrcaDaemonRestoreOverdue",
    ),
    Panel(
        title="Age of the oldest restore",
        shows="Time since the oldest of these restores was asked for.",
        do="Bulk from DEEP_ARCHIVE takes two days; longer: orca-daemon jobs --stuck 3d.",
        queries={f"max(orca_daemon_restore_oldest_seconds{I})": "age"},
        unit="s",
        runbook="OrcaDaemonRestoreOverdue",
    ),
    Panel(
        title="Restored copies that expire within a day",
        shows="Restored objects that are not copied yet, and that S3 archives again within a day.",
        do="Should be 0: orca-daemon recover ID requests their copies.",
        queries={f"max(orca_daemon_restored_copies_expiring{I})": "copies"},
        runbook="OrcaDaemonRestoredCopiesExpiring",
    ),
    Panel(
        title="Files of restore requests",
        shows="Files of requests, by what was done for them.",
        do="No limit. fail: orca-daemon jobs --status failed lists the jobs.",
        queries={rate("restore_files_total", "step", I): "{{step}}"},
        unit="ops",
    ),
]
