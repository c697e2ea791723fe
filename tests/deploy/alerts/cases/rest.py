"""States in which a daemon does what it should: no alert fires, or only the one that says so."""

import signal
from contextlib import closing

import psycopg2

from orca_daemon.wire.inventory import inventory_message
from tests.deploy.alerts.cases.register import case
from tests.deploy.alerts.stage import HOUR, Stage, of_each_queue
from tests.faults.workload import Workload
from tests.reconcile.archive import Archive, Listed


@case
def idle(stage: Stage) -> None:
    stage.start()
    stage.phase(3 * HOUR)


@case
def busy(stage: Stage) -> None:
    work = Workload(stage.deployment)
    stage.start()
    stage.phase(HOUR)

    def more() -> None:
        stage.jobs(20)
        work.send_copies(10)

    more()
    stage.phase(3 * HOUR, between=more)
    assert stage.phases[-1].scrapes[-1].value("messages_settled_total", outcome="deleted") > 0
    stage.deployment.await_empty("status_update", "recovery")
    stage.phase(HOUR)


@case
def busy_with_comparisons_that_take_hours_and_all_permits(stage: Stage) -> None:
    with closing(psycopg2.connect(stage.deployment.database_url)) as connection:
        connection.autocommit = True
        archive = Archive(connection, stage.deployment.s3, stage.deployment.buckets["reports"])
        pointer = archive.inventory([Listed("new")])
    stage.start(ORCA_QUEUES__INTERNAL_REPORT__CONCURRENCY="1")
    with closing(psycopg2.connect(stage.deployment.database_url)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE orca.reconcile_orphan_report IN ACCESS EXCLUSIVE MODE")
        stage.deployment.send("internal_report", inventory_message(pointer))
        stage.until(lambda now: now.value("reconcile_running") == 1)
        assert stage.read().value("permits_free", queue="internal_report") == 0
        stage.phase(3 * HOUR)
    stage.deployment.await_empty("internal_report")


@case
def paused_for_less_than_an_hour(stage: Stage) -> None:
    stage.start()
    stage.signal(signal.SIGUSR2)
    stage.until(lambda now: now.value("queue_paused") > 0)
    stage.phase(HOUR - 5)
    stage.signal(signal.SIGUSR2)
    stage.until(lambda now: now.value("queue_paused") == 0)
    stage.phase(HOUR)


@case
def waiting_in_its_start(stage: Stage) -> None:
    """For the database, as in an outage."""
    link = stage.make_link(stage.deployment.database_url)
    link.proxy.refuse_request = b"\0"
    stage.start(wait=False, ORCA_DATABASE__URL=link.url)
    stage.until(lambda now: now.value("build_info") == 1)
    stage.phase(4)
    stage.phase(HOUR, *of_each_queue("OrcaDaemonNotStarted"))
    link.restore()
    stage.daemon.ready()
    stage.until(lambda now: now.value("last_poll_success_timestamp_seconds") > 0)
    stage.phase(HOUR)
