"""States of what the database says: failed recoveries, reports that differ or are old, or nothing."""

from contextlib import closing

import psycopg2

from orca_daemon.wire.inventory import inventory_message
from orca_daemon.wire.status import RecoveryStatus
from tests.deploy.alerts.cases.register import case
from tests.deploy.alerts.stage import HOUR, Stage
from tests.end_to_end.messages import update
from tests.reconcile.archive import Archive, Filed, Listed


@case
def a_file_that_could_not_be_recovered(stage: Stage) -> None:
    stage.start()
    stage.phase(10)
    stage.jobs(1)
    stage.deployment.await_empty("status_update")
    failed = update("job-1", "a.hdf", RecoveryStatus.FAILED)
    stage.send("status_update", failed.body, failed.attributes, group="group-1-failed")
    stage.until(lambda now: now.value("recovery_files", status="error") == 1)
    stage.phase(15, "OrcaDaemonRecoveriesFailed")
    stage.deployment.rows("UPDATE orca.recovery_file SET status_id = 4")
    stage.until(lambda now: now.value("recovery_files", status="error") == 0)
    stage.phase(15)


@case
def recoveries_that_cannot_be_counted(stage: Stage) -> None:
    """Another session holds a lock on the table; no message needs it."""
    stage.start()
    stage.phase(HOUR)
    with closing(psycopg2.connect(stage.deployment.database_url)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE orca.recovery_job IN ACCESS EXCLUSIVE MODE")
        stage.phase(HOUR, "OrcaDaemonRecoveriesUnknown")
    read = stage.read().value("recovery_files_read_timestamp_seconds")
    stage.until(lambda now: now.value("recovery_files_read_timestamp_seconds") > read)
    stage.phase(HOUR)


@case
def a_file_that_is_missing_from_the_archive(stage: Stage) -> None:
    with closing(psycopg2.connect(stage.deployment.database_url)) as connection:
        connection.autocommit = True
        archive = Archive(connection, stage.deployment.s3, stage.deployment.buckets["reports"])
        archive.catalog([Filed("lost")])
        pointer = archive.inventory([Listed("new")])
    stage.start()
    stage.phase(HOUR)
    stage.deployment.send("internal_report", inventory_message(pointer))
    stage.until(lambda now: now.value("reconcile_differences", kind="phantom") == 1)
    stage.phase(HOUR, "OrcaDaemonPhantoms")
    stage.deployment.rows("DELETE FROM orca.reconcile_phantom_report")
    stage.until(lambda now: now.value("reconcile_differences", kind="phantom") == 0)
    stage.phase(HOUR)


@case
def a_bucket_that_was_last_compared_nine_days_ago(stage: Stage) -> None:
    stage.deployment.rows(
        "INSERT INTO orca.reconcile_job (orca_archive_location, status_id, inventory_creation_time,"
        " start_time, last_update, end_time) SELECT 'archive', 5, t, t, t, t"
        " FROM (SELECT now() - interval '9 days') AS _ (t)"
    )
    stage.start()
    stage.until(lambda now: now.value("reconcile_last_success_timestamp_seconds") > 0)
    stage.phase(30, "OrcaDaemonNoReport")
    stage.deployment.rows("UPDATE orca.reconcile_job SET end_time = now()")
    stage.until(lambda now: now.value("reconcile_last_success_timestamp_seconds") > now.time - 86_400)
    stage.phase(30)


OPEN_RESTORE = """
    INSERT INTO orca.recovery_job
            (job_id, collection_id, granule_id, archive_destination, status_id, request_time)
        VALUES ('j', 'c', 'g', 'archive', 1, now() - interval '61 hours');
    INSERT INTO orca.recovery_file (job_id, collection_id, granule_id, filename, key_path,
            restore_destination, status_id, request_time, last_update)
        VALUES ('j', 'c', 'g', 'f', 'k', 'protected', %s, now(), now());
    INSERT INTO orca.orca_daemon_restore (job_id, collection_id, granule_id, filename, archive, key_path,
            size_in_bytes, step, tier, requested_at, expires_at, request)
        VALUES ('j', 'c', 'g', 'f', 'archive', 'k', 1, 'ask', 'Bulk', now() - interval '61 hours',
            now() + %s * interval '1 hour', 'r')
"""
RECOVERED = """
    UPDATE orca.recovery_file SET status_id = 4;
    UPDATE orca.recovery_job SET status_id = 4
"""


@case
def a_restore_that_s3_does_not_complete(stage: Stage) -> None:
    stage.deployment.rows(OPEN_RESTORE, RecoveryStatus.PENDING.value, 48)
    stage.start()
    stage.until(lambda now: now.value("restore_oldest_seconds") > 216_000)
    stage.phase(30, "OrcaDaemonRestoreOverdue")
    stage.deployment.rows(RECOVERED)
    stage.until(lambda now: now.value("restore_oldest_seconds") == 0)
    stage.phase(30)


@case
def a_restored_copy_that_expires_before_it_is_copied(stage: Stage) -> None:
    stage.deployment.rows(OPEN_RESTORE, RecoveryStatus.STAGED.value, 12)
    stage.start()
    stage.until(lambda now: now.value("restored_copies_expiring") == 1)
    stage.phase(HOUR + 30, "OrcaDaemonRestoredCopiesExpiring")
    stage.deployment.rows(RECOVERED)
    stage.until(lambda now: now.value("restored_copies_expiring") == 0)
    stage.phase(HOUR)
