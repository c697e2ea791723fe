"""A daemon is killed while it compares an inventory: another daemon finishes the same job."""

import os
import signal
from contextlib import closing

import psycopg2

from orca_daemon.wire.inventory import inventory_message
from tests.end_to_end.conftest import Deployment
from tests.reconcile.archive import Archive, Filed, Listed

GENERATING_REPORTS, SUCCESS = 3, 5
STATUSES = "SELECT id, status_id FROM orca.reconcile_job"
LEASE = {"ORCA_ENGINE__LEASE": "6"}


def test_a_comparison_whose_daemon_was_killed_is_finished_by_another(deployment: Deployment) -> None:
    with closing(psycopg2.connect(deployment.database_url)) as connection:
        connection.autocommit = True
        archive = Archive(connection, deployment.s3, deployment.buckets["reports"])
        archive.catalog([Filed("lost")])
        pointer = archive.inventory([Listed("new")])
        first = deployment.start(**LEASE)
        with closing(psycopg2.connect(deployment.database_url)) as other, other.cursor() as cursor:
            # This lock blocks the daemon when it writes the reports, so the kill hits the comparison.
            cursor.execute("LOCK TABLE orca.reconcile_orphan_report IN ACCESS EXCLUSIVE MODE")
            deployment.send("internal_report", inventory_message(pointer))
            deployment.await_rows([(1, GENERATING_REPORTS)], STATUSES)
            assert first.pid is not None
            os.kill(first.pid, signal.SIGKILL)
            deployment.start(**LEASE)

        deployment.await_rows([(1, SUCCESS)], STATUSES)

        assert archive.orphans(1) == {"new"}
        assert archive.phantoms(1) == {"lost"}
        deployment.await_empty("internal_report")
