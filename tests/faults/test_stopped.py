"""SIGTERM at every moment of a daemon's life, and a second signal when it takes too long."""

import signal
from urllib.request import urlopen

import pytest

from orca_daemon.local.daemon import Daemon
from orca_daemon.local.ports import free_port
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import (
    DELETE,
    QUICK,
    RECEIVE,
    MakeLine,
    await_event,
    await_waiting,
    ended,
    events,
    locked,
    send_signal,
)
from tests.faults.workload import Workload, everything_is_accounted_for

CLEAN, OUT_OF_TIME = 0, 75


@pytest.mark.parametrize("moment", ["http.listening", pytest.param("ready", marks=pytest.mark.matrix)])
def test_in_the_first_second(deployment: Deployment, work: Workload, moment: str) -> None:
    work.send(20)
    first = deployment.launch()
    await_event(deployment, moment)
    send_signal(first, signal.SIGTERM)
    assert ended(first) == CLEAN
    everything_is_accounted_for(work, deployment.start())


@pytest.mark.matrix
def test_before_it_handles_signals(deployment: Deployment, work: Workload) -> None:
    work.send(20)
    first = deployment.launch()
    send_signal(first, signal.SIGTERM)
    assert ended(first) == -signal.SIGTERM
    deployment.daemons.remove(first)
    assert deployment.left("status_update") == 80
    everything_is_accounted_for(work, deployment.start())


@pytest.mark.matrix
def test_while_its_database_is_not_there_yet(deployment: Deployment, work: Workload) -> None:
    work.send(20)
    nobody = f"postgresql://postgres@127.0.0.1:{free_port()}/orca"
    first = deployment.launch(ORCA_DATABASE__URL=nobody)
    await_event(deployment, "start.waiting")
    send_signal(first, signal.SIGTERM)
    assert ended(first) == CLEAN
    everything_is_accounted_for(work, deployment.start())


def test_idle(deployment: Deployment, work: Workload) -> None:
    first = deployment.start()
    deployment.until(lambda: polled(first), expected=True)
    send_signal(first, signal.SIGTERM)
    assert ended(first) == CLEAN
    assert events(deployment, "drain.finished")[0]["held"] == 0
    work.send(4)
    everything_is_accounted_for(work, deployment.start())


def test_mid_poll_gives_back_what_the_poll_still_brings(
    deployment: Deployment, work: Workload, line: MakeLine, sqs_endpoint: str
) -> None:
    way = line(sqs_endpoint)
    way.proxy.await_request = RECEIVE
    # Not ready before a poll has been answered, and this poll takes its five seconds.
    first = deployment.launch(AWS_ENDPOINT_URL_SQS=way.url, ORCA_ENGINE__WAIT="5")
    deployment.until(way.proxy.reached.is_set, expected=True)
    send_signal(first, signal.SIGTERM)
    await_event(deployment, "drain.started")
    work.send(3)
    # The other queues' polls bring nothing, and their wait is not for this test.
    work.deployment.until(lambda: bool(events(deployment, "message.released")) or first.poll(), expected=True)
    assert ended(first) == CLEAN
    assert deployment.rows("SELECT 1 FROM orca.recovery_file") == []
    assert visible(deployment) == 12
    everything_is_accounted_for(work, deployment.start())


def test_mid_handler_finishes_the_work(deployment: Deployment, work: Workload) -> None:
    work.send(60)
    with locked(deployment):
        first = deployment.start()
        await_waiting(deployment)
        send_signal(first, signal.SIGTERM)
        await_event(deployment, "drain.polls_joined")
        assert first.poll() is None
    assert ended(first) == CLEAN
    done = deployment.rows("SELECT count(*) FROM orca.recovery_file")[0][0]
    assert done > 0
    assert visible(deployment) == deployment.left("status_update") < 240
    everything_is_accounted_for(work, deployment.start())


@pytest.mark.matrix
def test_mid_handler_gives_up_when_time_is_up(deployment: Deployment, work: Workload) -> None:
    work.send(20)
    with locked(deployment):
        first = deployment.start(ORCA_ENGINE__DRAIN_SECONDS="0.5", **QUICK)
        await_waiting(deployment)
        send_signal(first, signal.SIGTERM)
        assert ended(first) == OUT_OF_TIME
        deployment.daemons.remove(first)
    assert deployment.rows("SELECT 1 FROM orca.recovery_file") == []
    everything_is_accounted_for(work, deployment.start())


def test_mid_settlement_waits_for_the_answer(
    deployment: Deployment, work: Workload, line: MakeLine, sqs_endpoint: str
) -> None:
    way = line(sqs_endpoint)
    way.proxy.hold_answer_to = DELETE
    work.send(2)
    first = deployment.start(AWS_ENDPOINT_URL_SQS=way.url)
    deployment.until(way.proxy.reached.is_set, expected=True)
    send_signal(first, signal.SIGTERM)
    await_event(deployment, "drain.polls_joined")
    assert first.poll() is None
    way.let_go()
    assert ended(first) == CLEAN
    assert deployment.left("status_update") == visible(deployment)
    everything_is_accounted_for(work, deployment.start())


@pytest.mark.matrix
def test_while_a_dependency_is_down(
    deployment: Deployment, work: Workload, line: MakeLine, database_url: str
) -> None:
    way = line(database_url)
    first = deployment.start(ORCA_DATABASE__URL=way.url)
    way.proxy.silent = True
    way.cut()
    way.proxy.refuse_request = b"\0"
    way.proxy.silent = False
    work.send(20)
    await_event(deployment, "dependency.down")
    send_signal(first, signal.SIGTERM)
    assert ended(first) == CLEAN
    assert visible(deployment) == 80
    everything_is_accounted_for(work, deployment.start())


def test_a_second_signal_ends_it_at_once(deployment: Deployment, work: Workload) -> None:
    work.send(20)
    with locked(deployment):
        first = deployment.start(**QUICK)
        await_waiting(deployment)
        send_signal(first, signal.SIGTERM)
        await_event(deployment, "drain.started")
        send_signal(first, signal.SIGTERM)
        assert ended(first) == -signal.SIGTERM
        deployment.daemons.remove(first)
    everything_is_accounted_for(work, deployment.start())


def polled(daemon: Daemon) -> bool:
    """Whether it has asked its queue for messages."""
    with urlopen(f"{daemon.url}/metrics", timeout=5) as answer:  # noqa: S310  our own address
        text: str = answer.read().decode()
    return any("polls_total" in line and not line.endswith(" 0.0") for line in text.splitlines())


def visible(deployment: Deployment) -> int:
    """How many messages of the queue anybody could have now."""
    answer = deployment.sqs.get_queue_attributes(
        QueueUrl=deployment.queues["status_update"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])
