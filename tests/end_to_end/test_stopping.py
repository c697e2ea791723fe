"""A daemon is stopped or killed while it processes messages: no message is lost or dead-lettered."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from orca_daemon.producer import OrcaStatus, send_batch
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import new_job, update

JOBS = 200
STATES = "SELECT status_id, count(*) FROM orca.recovery_file GROUP BY 1 ORDER BY 1"
HANDLER_WAITS_FOR_LOCK = """
SELECT count(*) > 0 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'orca-daemon%%'
"""


def test_sigterm_in_the_middle_of_work_loses_nothing(deployment: Deployment) -> None:
    _preload(deployment)
    with _handlers_blocked(deployment):
        daemon = deployment.start()
        deployment.until(lambda: deployment.rows(HANDLER_WAITS_FOR_LOCK), [(True,)])
        os.kill(daemon.pid or 0, signal.SIGTERM)
        deployment.until(lambda: "drain.started" in deployment.log.read_text(), expected=True)
    deployment.until(daemon.poll, 0)
    # Handlers that were running have finished; messages whose handler had not started are left.
    assert 0 < deployment.left("status_update") < 2 * JOBS
    _finish(deployment)


@pytest.mark.slow
def test_a_kill_in_the_middle_of_work_loses_nothing(deployment: Deployment) -> None:
    _preload(deployment)
    with _handlers_blocked(deployment):
        daemon = deployment.start(ORCA_ENGINE__LEASE="6")
        deployment.until(lambda: deployment.rows(HANDLER_WAITS_FOR_LOCK), [(True,)])
        os.kill(daemon.pid or 0, signal.SIGKILL)
        deployment.until(daemon.poll, -signal.SIGKILL)
    assert deployment.left("status_update") == 2 * JOBS
    _finish(deployment)


def _preload(deployment: Deployment) -> None:
    names = [f"op-{number}" for number in range(JOBS)]
    messages = [new_job(name, ["a.hdf"]) for name in names]
    messages += [update(name, "a.hdf", OrcaStatus.SUCCESS) for name in names]
    sent = send_batch(messages, deployment.queues["status_update"], client=deployment.sqs)
    assert all(result.message_id for result in sent)


@contextmanager
def _handlers_blocked(deployment: Deployment) -> Iterator[None]:
    """Every transaction of the daemon waits for a lock until this block ends."""
    with closing(psycopg2.connect(deployment.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE orca.recovery_job IN EXCLUSIVE MODE")
        yield
        connection.rollback()


def _finish(deployment: Deployment) -> None:
    """Start another daemon, and check that it processes all remaining messages."""
    deployment.start()
    deployment.await_rows([(4, JOBS)], STATES)
    deployment.await_empty("status_update")
    assert deployment.left("status_update_dead_letter") == 0
