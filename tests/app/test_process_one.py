"""The daemon as process 1 of a container without an init, where no signal has a default action."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing

import psycopg2
import pytest

from tests.app.conftest import Running
from tests.app.process_one import pid_of_one
from tests.waiting import PATIENCE, until

NAMESPACES = pytest.mark.parametrize(
    "extra_environment",
    [
        pytest.param({}, id="in a namespace"),
        pytest.param({"PRETEND": "1"}, id="pretending", marks=pytest.mark.matrix),
    ],
)


@pytest.fixture
def program() -> tuple[str, ...]:
    return ("-m", "tests.app.process_one", "run")


@pytest.fixture
def importing(extra_environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is importing its modules."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.app.process_one", "run"],
        stdout=subprocess.PIPE,
        env={**os.environ, "SLOW": "1", **extra_environment},
    )
    assert process.stdout
    assert process.stdout.readline() == b"importing\n"
    yield process
    process.kill()
    process.communicate()


@NAMESPACES
@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_signal_during_the_imports_ends_it(
    importing: "subprocess.Popen[bytes]", name: signal.Signals
) -> None:
    os.kill(pid_of_one(importing.pid), name)
    assert importing.wait(PATIENCE) == 128 + name


@NAMESPACES
def test_a_second_signal_in_the_drain_ends_it(running: Running, database_url: str) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE orca.recovery_job, orca.recovery_file IN ACCESS EXCLUSIVE MODE")
        update = {"jobId": "j", "granuleId": "g", "collectionId": "c", "filename": "f", "statusId": 2}
        running.send({**update, "lastUpdate": "2026-01-01T00:00:00+00:00"}, RequestMethod="update_file")
        until(lambda: running.value('messages_held{queue="status_update",state="running"}') == 1)
        one = pid_of_one(running.pid)
        os.kill(one, signal.SIGTERM)
        until(lambda: running.events("drain.started"))
        os.kill(one, signal.SIGTERM)
        until(lambda: running.daemon.poll() is not None)
    assert running.daemon.poll() == 128 + signal.SIGTERM


@NAMESPACES
def test_one_signal_drains_it(running: Running) -> None:
    os.kill(pid_of_one(running.pid), signal.SIGTERM)
    until(lambda: running.daemon.poll() is not None)
    assert running.daemon.poll() == 0
