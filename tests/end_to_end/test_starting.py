"""A daemon whose start is waiting: it says for what, handles signals, and does not report readiness."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg2

from orca_daemon.db.migrate import upgrade
from orca_daemon.local.daemon import Daemon
from orca_daemon.local.postgres import Postgres
from tests.end_to_end.conftest import Deployment
from tests.memory import directory

UNREACHABLE_URL = "postgresql://nobody@127.0.0.1:9/nothing"
PASSWORD = "correct-horse"


def answer(daemon: Daemon, path: str) -> tuple[int, str]:
    """The status and the body; status 0 while nothing listens."""
    try:
        with urlopen(f"{daemon.url}{path}", timeout=5) as response:  # noqa: S310  our own address
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def started(daemon: Daemon) -> str:
    """What `/readyz` says of the start."""
    lines = map(json.loads, answer(daemon, "/readyz")[1].splitlines())
    return next((str(line["detail"]) for line in lines if line["name"] == "started"), "")


def received(manager: socket.socket) -> Iterator[str]:
    """Everything that systemd was told so far."""
    while True:
        try:
            yield manager.recv(4000).decode()
        except BlockingIOError:
            return


def test_a_daemon_that_waits_for_its_database_is_live_says_why_and_starts_when_it_comes(
    deployment: Deployment,
) -> None:
    with directory() as folder:
        with Postgres(folder / "data", fast=True, password=PASSWORD) as server:
            upgrade(server.url())
            port = server.port
        url = server.url()
        daemon = deployment.launch(ORCA_DATABASE__URL=url)
        deployment.until(lambda: "refused" in started(daemon), expected=True)

        status, body = answer(daemon, "/readyz")
        assert status == 503
        assert started(daemon).startswith("the start waits for the database for ")
        assert PASSWORD not in body
        # Kubernetes, ECS and systemd restart a daemon that is not live.
        assert answer(daemon, "/livez")[0] == 200

        with Postgres(folder / "data", fast=True, password=PASSWORD, port=port) as server:
            assert server.url() == url
            daemon.ready()
            assert started(daemon) == "queues are resolved"
            daemon.stop()


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
        assert [text for text in received(manager) if "READY=1" in text.splitlines()] == []


def test_systemd_grants_more_time_to_a_start_that_waits_and_shows_for_what(
    deployment: Deployment, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(str(tmp_path / "notify"))
        deployment.launch(ORCA_DATABASE__URL=UNREACHABLE_URL, NOTIFY_SOCKET=str(tmp_path / "notify"))
        deployment.until(lambda: "start.waiting" in deployment.output(), expected=True)

        reports = [text.splitlines() for text in received(manager)]
    assert {report[0] for report in reports} == {"EXTEND_TIMEOUT_USEC=120000000"}
    assert reports[0][1] == "STATUS=the start waits for the database for 0 s"
    assert "Connection refused" in reports[1][1]


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
