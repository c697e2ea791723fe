"""The end of a daemon in the middle of work: nothing is lost, nothing is set aside."""

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
HELD_UP = """
SELECT count(*) > 0 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'orca-daemon%%'
"""


def test_sigterm_in_the_middle_of_work_loses_nothing(deployment: Deployment) -> None:
    _preload(deployment)
    with _work_held_up(deployment):
        daemon = deployment.start()
        deployment.until(lambda: deployment.rows(HELD_UP), [(True,)])
        os.kill(daemon.pid or 0, signal.SIGTERM)
        deployment.until(lambda: "drain.started" in deployment.log.read_text(), expected=True)
    deployment.until(daemon.poll, 0)
    # What was at work is done, what had not begun is left.
    assert 0 < deployment.left("status_update") < 2 * JOBS
    _finish(deployment)


@pytest.mark.slow
def test_kill_in_the_middle_of_work_loses_nothing(deployment: Deployment) -> None:
    _preload(deployment)
    with _work_held_up(deployment):
        daemon = deployment.start(ORCA_ENGINE__LEASE="6")
        deployment.until(lambda: deployment.rows(HELD_UP), [(True,)])
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
def _work_held_up(deployment: Deployment) -> Iterator[None]:
    """Every transaction of the daemon waits for the end of this block."""
    with closing(psycopg2.connect(deployment.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE orca.recovery_job IN EXCLUSIVE MODE")
        yield
        connection.rollback()


def _finish(deployment: Deployment) -> None:
    """Let another daemon do the rest, and look at the whole."""
    deployment.start()
    deployment.await_rows([(4, JOBS)], STATES)
    deployment.await_empty("status_update")
    assert deployment.left("status_update_dead_letter") == 0
