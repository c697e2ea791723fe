"""Fixtures and helpers for fault tests: a deployment, a workload, faulty network links, locks and signals."""

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
from tests.faults.link import Link
from tests.faults.workload import STATUS_AUDIT, Workload

__all__ = ["deployment"]
QUICK = {"ORCA_ENGINE__LEASE": "6"}
"""A short lease: SQS delivers the messages of a killed daemon again after six seconds."""
DELETE = b"AmazonSQS.DeleteMessageBatch"
RECEIVE = b"AmazonSQS.ReceiveMessage"
SEED = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
"""Seed of the random tests: different in each run unless FAULTS_SEED repeats an earlier run."""


@pytest.fixture
def work(deployment: Deployment) -> Workload:
    """An empty workload; a trigger records each status that a file goes through."""
    deployment.rows(STATUS_AUDIT)
    return Workload(deployment)


MakeLink = Callable[[str], Link]


@pytest.fixture
def make_link() -> Iterator[MakeLink]:
    """A function that opens a link to a server, on which the test can inject faults."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(Link(url))


@contextmanager
def locked(deployment: Deployment) -> Iterator[None]:
    """During the block every transaction of a handler of status updates waits for a table lock."""
    with closing(psycopg2.connect(deployment.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE orca.recovery_job, orca.recovery_file IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def await_lock_wait(deployment: Deployment, event: str = "relation") -> None:
    """Wait until a transaction of the daemon waits for a lock; `event` is Postgres's wait_event."""
    waiting = (
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND wait_event = %s"
    )
    deployment.until(lambda: deployment.rows(waiting, event), [(True,)])


def kill(daemon: Daemon) -> None:
    """Send SIGKILL and wait until the process has ended."""
    send_signal(daemon, signal.SIGKILL)
    assert wait_for_exit(daemon) == -signal.SIGKILL


def send_signal(daemon: Daemon, signal_: signal.Signals) -> None:
    """Send a signal to the process."""
    assert daemon.pid
    os.kill(daemon.pid, signal_)


def wait_for_exit(daemon: Daemon) -> int:
    """Wait up to 60 seconds until the process has exited; returns its exit code."""
    assert daemon._process
    return daemon._process.wait(60)


def events(deployment: Deployment, name: str) -> list[dict[str, Any]]:
    """All log events with this name, from all daemons of the test."""
    lines = [line for line in deployment.log.read_text("utf-8").splitlines() if f'"{name}"' in line]
    return [each for each in map(json.loads, lines) if each["event"] == name]


def await_event(deployment: Deployment, name: str, **fields: object) -> None:
    """Wait until a daemon has logged an event with this name and these fields."""

    def logged() -> bool:
        return any(each.items() >= fields.items() for each in events(deployment, name))

    deployment.until(logged, expected=True)


@contextmanager
def noted(note: Callable[[], str]) -> Iterator[None]:
    """If the block fails, add the text of `note()` to the exception."""
    try:
        yield
    except BaseException as error:
        error.add_note(note())
        raise


def receive_as_often_as_it_takes(deployment: Deployment) -> None:
    """Set `maxReceiveCount` to 1000.

    Each kill and each lost lease costs a receive: SQS itself would dead-letter messages of this test.
    """
    for name in ("status_update", "recovery", "internal_report", "restore"):
        url = deployment.queues[name]
        response = deployment.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
        policy = json.loads(response["Attributes"]["RedrivePolicy"]) | {"maxReceiveCount": 1000}
        deployment.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
