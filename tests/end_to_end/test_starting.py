"""Signals to a daemon whose start is waiting: it handles them and does not report readiness."""

import os
import signal
import socket
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.end_to_end.conftest import Deployment

UNREACHABLE_URL = "postgresql://nobody@127.0.0.1:9/nothing"


def test_a_reload_during_the_start_does_not_report_ready_to_systemd(
    deployment: Deployment, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(str(tmp_path / "notify"))
        daemon = deployment.launch(ORCA_DATABASE__URL=UNREACHABLE_URL, NOTIFY_SOCKET=str(tmp_path / "notify"))
        deployment.until(lambda: "start.waiting" in deployment.output(), expected=True)
        os.kill(daemon.pid or 0, signal.SIGHUP)
        deployment.until(lambda: '"reloaded"' in deployment.log.read_text(), expected=True)

        os.kill(daemon.pid or 0, signal.SIGTERM)
        deployment.until(daemon.poll, 0)
        with pytest.raises(BlockingIOError):
            manager.recv(1000)


def test_a_pause_during_the_start_is_refused(deployment: Deployment) -> None:
    daemon = deployment.launch(ORCA_DATABASE__URL=UNREACHABLE_URL)
    deployment.until(lambda: "start.waiting" in deployment.output(), expected=True)
    os.kill(daemon.pid or 0, signal.SIGUSR2)
    deployment.until(lambda: "pause.refused" in deployment.output(), expected=True)


def test_the_start_waits_for_a_database_that_another_session_has_locked(deployment: Deployment) -> None:
    with closing(psycopg2.connect(deployment.database_url)) as upgrade:
        with upgrade.cursor() as cursor:
            cursor.execute("LOCK TABLE orca.schema_versions IN ACCESS EXCLUSIVE MODE")
        daemon = deployment.launch(ORCA_DATABASE__LOCK_TIMEOUT="0.1")
        deployment.until(lambda: "start.waiting" in deployment.output(), expected=True)
    daemon.ready()
