"""SIGTERM in every phase of a daemon's life, and a second SIGTERM during the drain."""

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
    MakeLink,
    await_event,
    await_lock_wait,
    events,
    locked,
    send_signal,
    wait_for_exit,
)
from tests.faults.workload import Workload, everything_is_accounted_for

CLEAN, OUT_OF_TIME = 0, 75


@pytest.mark.parametrize("event", ["http.listening", pytest.param("ready", marks=pytest.mark.matrix)])
def test_sigterm_right_after_the_start_loses_nothing(
    deployment: Deployment, work: Workload, event: str
) -> None:
    work.send(20)
    first = deployment.launch()
    await_event(deployment, event)
    send_signal(first, signal.SIGTERM)
    assert wait_for_exit(first) == CLEAN
    everything_is_accounted_for(work, deployment.start())


@pytest.mark.matrix
def test_sigterm_before_the_signal_handlers_are_installed_loses_nothing(
    deployment: Deployment, work: Workload
) -> None:
    work.send(20)
    first = deployment.launch()
    send_signal(first, signal.SIGTERM)
    assert wait_for_exit(first) == -signal.SIGTERM
    deployment.daemons.remove(first)
    assert deployment.left("status_update") == 80
    everything_is_accounted_for(work, deployment.start())


@pytest.mark.matrix
def test_sigterm_while_the_start_waits_for_the_database_ends_it(
    deployment: Deployment, work: Workload
) -> None:
    work.send(20)
    unreachable = f"postgresql://postgres@127.0.0.1:{free_port()}/orca"
    first = deployment.launch(ORCA_DATABASE__URL=unreachable)
    await_event(deployment, "start.waiting")
    send_signal(first, signal.SIGTERM)
    assert wait_for_exit(first) == CLEAN
    everything_is_accounted_for(work, deployment.start())


@pytest.mark.matrix
def test_sigterm_to_an_idle_daemon_ends_it(deployment: Deployment, work: Workload) -> None:
    first = deployment.start()
    deployment.until(lambda: polled(first), expected=True)
    send_signal(first, signal.SIGTERM)
    assert wait_for_exit(first) == CLEAN
    assert events(deployment, "drain.finished")[0]["held"] == 0
    work.send(4)
    everything_is_accounted_for(work, deployment.start())


def test_sigterm_during_a_poll_releases_the_messages_that_the_poll_still_receives(
    deployment: Deployment, work: Workload, make_link: MakeLink, sqs_endpoint: str
) -> None:
    link = make_link(sqs_endpoint)
    link.proxy.await_request = RECEIVE
    # `launch` and not `start`: the daemon becomes ready after its first poll, which takes five seconds here.
    first = deployment.launch(AWS_ENDPOINT_URL_SQS=link.url, ORCA_ENGINE__WAIT="5")
    deployment.until(link.proxy.reached.is_set, expected=True)
    send_signal(first, signal.SIGTERM)
    await_event(deployment, "drain.started")
    work.send(3)
    # Waiting for the exit alone would be a wait for the polls of the other queues, which are empty.
    work.deployment.until(lambda: bool(events(deployment, "message.released")) or first.poll(), expected=True)
    assert wait_for_exit(first) == CLEAN
    assert deployment.rows("SELECT 1 FROM orca.recovery_file") == []
    assert visible(deployment) == 12
    everything_is_accounted_for(work, deployment.start())


def test_sigterm_during_a_handler_lets_it_finish(deployment: Deployment, work: Workload) -> None:
    work.send(60)
    with locked(deployment):
        first = deployment.start()
        await_lock_wait(deployment)
        send_signal(first, signal.SIGTERM)
        await_event(deployment, "drain.polls_joined")
        assert first.poll() is None
    assert wait_for_exit(first) == CLEAN
    written = deployment.rows("SELECT count(*) FROM orca.recovery_file")[0][0]
    assert written > 0
    assert visible(deployment) == deployment.left("status_update") < 240
    everything_is_accounted_for(work, deployment.start())


@pytest.mark.matrix
def test_a_handler_that_is_still_running_at_the_end_of_the_drain_is_cancelled(
    deployment: Deployment, work: Workload
) -> None:
    work.send(20)
    with locked(deployment):
        first = deployment.start(ORCA_ENGINE__DRAIN_SECONDS="0.5", **QUICK)
        await_lock_wait(deployment)
        send_signal(first, signal.SIGTERM)
        assert wait_for_exit(first) == OUT_OF_TIME
        deployment.daemons.remove(first)
    assert deployment.rows("SELECT 1 FROM orca.recovery_file") == []
    everything_is_accounted_for(work, deployment.start())


def test_sigterm_during_a_delete_waits_for_its_response(
    deployment: Deployment, work: Workload, make_link: MakeLink, sqs_endpoint: str
) -> None:
    link = make_link(sqs_endpoint)
    link.proxy.hold_answer_to = DELETE
    work.send(2)
    first = deployment.start(AWS_ENDPOINT_URL_SQS=link.url)
    deployment.until(link.proxy.reached.is_set, expected=True)
    send_signal(first, signal.SIGTERM)
    await_event(deployment, "drain.polls_joined")
    assert first.poll() is None
    link.release()
    assert wait_for_exit(first) == CLEAN
    assert deployment.left("status_update") == visible(deployment)
    everything_is_accounted_for(work, deployment.start())


@pytest.mark.matrix
def test_sigterm_while_a_dependency_is_down_releases_all_messages(
    deployment: Deployment, work: Workload, make_link: MakeLink, database_url: str
) -> None:
    link = make_link(database_url)
    first = deployment.start(ORCA_DATABASE__URL=link.url)
    link.proxy.silent = True
    link.cut()
    link.proxy.refuse_request = b"\0"
    link.proxy.silent = False
    work.send(20)
    await_event(deployment, "dependency.down")
    send_signal(first, signal.SIGTERM)
    assert wait_for_exit(first) == CLEAN
    assert visible(deployment) == 80
    everything_is_accounted_for(work, deployment.start())


@pytest.mark.matrix
def test_a_second_sigterm_ends_the_daemon_at_once(deployment: Deployment, work: Workload) -> None:
    work.send(20)
    with locked(deployment):
        first = deployment.start(**QUICK)
        await_lock_wait(deployment)
        send_signal(first, signal.SIGTERM)
        await_event(deployment, "drain.started")
        send_signal(first, signal.SIGTERM)
        assert wait_for_exit(first) == -signal.SIGTERM
        deployment.daemons.remove(first)
    everything_is_accounted_for(work, deployment.start())


def polled(daemon: Daemon) -> bool:
    """Whether the daemon has finished a poll."""
    with urlopen(f"{daemon.url}/metrics", timeout=5) as response:  # noqa: S310  our own address
        text: str = response.read().decode()
    return any("polls_total" in line and not line.endswith(" 0.0") for line in text.splitlines())


def visible(deployment: Deployment) -> int:
    """Count the messages of the status queue that are visible."""
    response = deployment.sqs.get_queue_attributes(
        QueueUrl=deployment.queues["status_update"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(response["Attributes"]["ApproximateNumberOfMessages"])
