"""The end of a daemon in the middle of work: nothing is lost, nothing is set aside."""

import os
import signal
import time

import pytest

from orca_daemon.local.daemon import Daemon
from orca_daemon.producer import OrcaStatus, send_batch
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import new_job, update

JOBS = 2000
STATES = "SELECT status_id, count(*) FROM orca.recovery_file GROUP BY 1 ORDER BY 1"


def test_sigterm_in_the_middle_of_work_loses_nothing(deployment: Deployment) -> None:
    _preload(deployment)
    daemon = deployment.start()
    _await_some(deployment)
    assert daemon.stop() == 0
    left = deployment.left("status_update")
    deployment.start()
    deployment.await_rows([(4, JOBS)], STATES)
    deployment.await_empty("status_update")
    assert left > 0, "the daemon was done before it was stopped"
    assert deployment.left("status_update_dead_letter") == 0


@pytest.mark.slow
def test_kill_in_the_middle_of_work_loses_nothing(deployment: Deployment) -> None:
    _preload(deployment)
    daemon = deployment.start(ORCA_ENGINE__LEASE="6")
    _await_some(deployment)
    _kill(daemon)
    deployment.start(ORCA_ENGINE__LEASE="6")
    deployment.await_rows([(4, JOBS)], STATES)
    deployment.await_empty("status_update")
    assert deployment.left("status_update_dead_letter") == 0


def _preload(deployment: Deployment) -> None:
    names = [f"op-{number}" for number in range(JOBS)]
    messages = [new_job(name, ["a.hdf"]) for name in names]
    messages += [update(name, "a.hdf", OrcaStatus.SUCCESS) for name in names]
    sent = send_batch(messages, deployment.queues["status_update"], client=deployment.sqs)
    assert all(result.message_id for result in sent)


def _await_some(deployment: Deployment) -> None:
    deployment.until(lambda: deployment.rows("SELECT count(*) > 20 FROM orca.recovery_file"), [(True,)])


def _kill(daemon: Daemon) -> None:
    assert daemon.pid
    os.kill(daemon.pid, signal.SIGKILL)
    while daemon.poll() is None:
        time.sleep(0)
