"""Connections to SQS, Postgres and S3 that are reset, swallow what they are given, or are slow."""

from collections.abc import Mapping

import pytest

from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import DELETE, MakeLine, await_event, events
from tests.faults.line import Line
from tests.faults.workload import Workload, everything_is_accounted_for

SETTINGS = {"sqs": "AWS_ENDPOINT_URL_SQS", "postgres": "ORCA_DATABASE__URL", "s3": "AWS_ENDPOINT_URL"}
TO = tuple(SETTINGS)
LEASE = {"ORCA_ENGINE__LEASE": "10"}
"""A standard queue has no attempt ids: what a lost answer brought is hidden until the lease is over."""
IMPATIENT = {"ORCA_DATABASE__STATEMENT_TIMEOUT": "2", "ORCA_DATABASE__CONNECT_TIMEOUT": "2"}


@pytest.fixture
def ways(line: MakeLine, sqs_endpoint: str, database_url: str, aws_endpoint: str) -> Mapping[str, Line]:
    """By what they lead to."""
    return {"sqs": line(sqs_endpoint), "postgres": line(database_url), "s3": line(aws_endpoint)}


def settings(ways: Mapping[str, Line]) -> dict[str, str]:
    return {SETTINGS[to]: way.url for to, way in ways.items()} | LEASE


def begin(work: Workload) -> None:
    work.send(100)
    work.send_copies(20)
    work.await_some()


def test_resets_of_everything_again_and_again(
    deployment: Deployment, work: Workload, ways: Mapping[str, Line]
) -> None:
    daemon = deployment.start(**settings(ways))
    for _ in range(5):
        begin(work)
        for way in ways.values():
            way.cut()
    everything_is_accounted_for(work, daemon)


@pytest.mark.matrix
@pytest.mark.parametrize("to", TO)
def test_a_server_that_refuses_for_a_while(
    deployment: Deployment, work: Workload, ways: Mapping[str, Line], to: str
) -> None:
    daemon = deployment.start(**settings(ways))
    begin(work)
    ways[to].proxy.refuse_request = b""
    ways[to].cut()
    work.send(20)
    work.send_copies(5)
    if to == "sqs":
        await_event(deployment, "poll.failed", outcome="error")
    else:
        await_event(deployment, "dependency.down", dependency=to)
    ways[to].heal()
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []


@pytest.mark.matrix
def test_a_queue_that_swallows_requests_is_given_up_and_asked_again(
    deployment: Deployment, work: Workload, ways: Mapping[str, Line]
) -> None:
    daemon = deployment.start(**settings(ways))
    begin(work)
    ways["sqs"].proxy.silent = True
    await_event(deployment, "poll.failed", outcome="error")
    ways["sqs"].proxy.silent = False
    everything_is_accounted_for(work, daemon)


def test_a_database_that_swallows_requests_is_down(
    deployment: Deployment, work: Workload, ways: Mapping[str, Line]
) -> None:
    daemon = deployment.start(**settings(ways), **IMPATIENT)
    begin(work)
    ways["postgres"].proxy.silent = True
    work.send(20)
    await_event(deployment, "dependency.down", dependency="postgres")
    ways["postgres"].proxy.silent = False
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []


@pytest.mark.matrix
def test_a_database_that_falls_silent_at_the_commit_is_down_and_nothing_happens_twice(
    deployment: Deployment, work: Workload, ways: Mapping[str, Line]
) -> None:
    daemon = deployment.start(**settings(ways), **IMPATIENT)
    ways["postgres"].proxy.hold_answer_to = b"COMMIT"
    work.send(20)
    await_event(deployment, "dependency.down", dependency="postgres")
    ways["postgres"].let_go()
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []


@pytest.mark.matrix
def test_a_store_that_swallows_requests_until_it_resets_them(
    deployment: Deployment, work: Workload, ways: Mapping[str, Line]
) -> None:
    daemon = deployment.start(**settings(ways))
    ways["s3"].proxy.silent = True
    ways["s3"].proxy.await_request = b"HEAD "
    begin(work)
    deployment.until(ways["s3"].proxy.reached.is_set, expected=True)
    ways["s3"].heal()
    everything_is_accounted_for(work, daemon)


@pytest.mark.matrix
@pytest.mark.parametrize("to", TO)
def test_a_slow_server_only_takes_longer(
    deployment: Deployment, work: Workload, ways: Mapping[str, Line], to: str
) -> None:
    ways[to].proxy.delay = 0.1
    daemon = deployment.start(**settings(ways))
    work.send(20)
    work.send_copies(5)
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []


@pytest.mark.matrix
@pytest.mark.parametrize("lost", ["COMMIT", DELETE.decode()])
def test_an_answer_that_is_lost_makes_nothing_happen_twice(
    deployment: Deployment, work: Workload, ways: Mapping[str, Line], lost: str
) -> None:
    way = ways["postgres" if lost == "COMMIT" else "sqs"]
    daemon = deployment.start(**settings(ways))
    way.proxy.lose_answer_to = lost.encode()
    work.send(20)
    deployment.until(way.proxy.lost.is_set, expected=True)
    way.proxy.lose_answer_to = None
    everything_is_accounted_for(work, daemon)
