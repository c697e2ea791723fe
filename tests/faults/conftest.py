"""What the tests of faults have in common: a deployment, its messages, and ways to hold the daemon still."""

import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg2
import pytest

from orca_daemon.local.daemon import Daemon
from tests.end_to_end.conftest import Deployment, deployment
from tests.faults.line import Line
from tests.faults.workload import WITNESS, Workload

__all__ = ["deployment"]
QUICK = {"ORCA_ENGINE__LEASE": "6"}
"""What a killed daemon had in flight comes back after so many seconds."""
DELETE = b"AmazonSQS.DeleteMessageBatch"
RECEIVE = b"AmazonSQS.ReceiveMessage"
SEED = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
"""What a test does at random it does by this; another one in each run, unless it is to be repeated."""


@pytest.fixture
def work(deployment: Deployment) -> Workload:
    """Nothing yet; the database writes down what becomes of files."""
    deployment.rows(WITNESS)
    return Workload(deployment)


MakeLine = Callable[[str], Line]


@pytest.fixture
def line() -> Iterator[MakeLine]:
    """Makes ways to a server that misbehave as they are told."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(Line(url))


@contextmanager
def locked(deployment: Deployment) -> Iterator[None]:
    """While it lasts, every transaction of a handler waits for a lock."""
    with closing(psycopg2.connect(deployment.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE orca.recovery_job, orca.recovery_file IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def await_waiting(deployment: Deployment, event: str = "relation") -> None:
    """Return when a transaction of the daemon waits for a lock of this kind."""
    waiting = (
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND wait_event = %s"
    )
    deployment.until(lambda: deployment.rows(waiting, event), [(True,)])


def kill(daemon: Daemon) -> None:
    """End it without a word."""
    send_signal(daemon, signal.SIGKILL)
    assert ended(daemon) == -signal.SIGKILL


def send_signal(daemon: Daemon, what: signal.Signals) -> None:
    """Send it a signal."""
    assert daemon.pid
    os.kill(daemon.pid, what)


def ended(daemon: Daemon) -> int:
    """Wait until it has ended by itself; its exit code."""
    assert daemon._process
    return daemon._process.wait(60)


def events(deployment: Deployment, name: str) -> list[dict[str, Any]]:
    """What the daemons logged under this name."""
    lines = [line for line in deployment.log.read_text("utf-8").splitlines() if f'"{name}"' in line]
    return [found for found in map(json.loads, lines) if found["event"] == name]


def await_event(deployment: Deployment, name: str, **facts: object) -> None:
    """Return when a daemon has logged this."""

    def reported() -> bool:
        return any(found.items() >= facts.items() for found in events(deployment, name))

    deployment.until(reported, expected=True)


@contextmanager
def noted(note: Callable[[], str]) -> Iterator[None]:
    """Add to a failure how it came about."""
    try:
        yield
    except BaseException as error:
        error.add_note(note())
        raise


def receive_as_often_as_it_takes(deployment: Deployment) -> None:
    """A kill and a lost lease cost a receive each, and SQS itself moves a message after `maxReceiveCount`."""
    for name in ("status_update", "recovery", "internal_report"):
        url = deployment.queues[name]
        asked = deployment.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
        policy = json.loads(asked["Attributes"]["RedrivePolicy"]) | {"maxReceiveCount": 1000}
        deployment.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
