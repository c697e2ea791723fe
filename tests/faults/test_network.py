"""Connections to SQS, Postgres and S3 are reset, refused, silent or slow."""

from collections.abc import Mapping

import pytest

from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import DELETE, MakeLink, await_event, events
from tests.faults.link import Link
from tests.faults.workload import Workload, everything_is_accounted_for

SETTINGS = {"sqs": "AWS_ENDPOINT_URL_SQS", "postgres": "ORCA_DATABASE__URL", "s3": "AWS_ENDPOINT_URL"}
SERVERS = tuple(SETTINGS)
LEASE = {"ORCA_ENGINE__LEASE": "10"}
"""Messages of a lost response stay hidden until their lease ends: standard queues have no attempt ids."""
SHORT_TIMEOUTS = {"ORCA_DATABASE__STATEMENT_TIMEOUT": "2", "ORCA_DATABASE__CONNECT_TIMEOUT": "2"}


@pytest.fixture
def links(make_link: MakeLink, sqs_endpoint: str, database_url: str, aws_endpoint: str) -> Mapping[str, Link]:
    """A link to each server."""
    return {
        "sqs": make_link(sqs_endpoint),
        "postgres": make_link(database_url),
        "s3": make_link(aws_endpoint),
    }


def settings(links: Mapping[str, Link]) -> dict[str, str]:
    return {SETTINGS[server]: link.url for server, link in links.items()} | LEASE


def send_and_await_first_row(work: Workload) -> None:
    work.send(100)
    work.send_copies(20)
    work.await_first_row()


def test_repeated_resets_of_all_connections_lose_nothing(
    deployment: Deployment, work: Workload, links: Mapping[str, Link]
) -> None:
    daemon = deployment.start(**settings(links))
    for _ in range(3):
        send_and_await_first_row(work)
        for link in links.values():
            link.cut()
    everything_is_accounted_for(work, daemon)


@pytest.mark.matrix
@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_refuses_connections_for_a_while_costs_no_attempt(
    deployment: Deployment, work: Workload, links: Mapping[str, Link], server: str
) -> None:
    daemon = deployment.start(**settings(links))
    send_and_await_first_row(work)
    links[server].proxy.refuse_request = b""
    links[server].cut()
    work.send(20)
    work.send_copies(5)
    if server == "sqs":
        await_event(deployment, "poll.failed", outcome="error")
    else:
        await_event(deployment, "dependency.down", dependency=server)
    links[server].restore()
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []


@pytest.mark.matrix
def test_a_poll_of_a_silent_sqs_times_out_and_is_repeated(
    deployment: Deployment, work: Workload, links: Mapping[str, Link]
) -> None:
    daemon = deployment.start(**settings(links))
    send_and_await_first_row(work)
    links["sqs"].proxy.silent = True
    await_event(deployment, "poll.failed", outcome="error")
    links["sqs"].proxy.silent = False
    everything_is_accounted_for(work, daemon)


def test_a_silent_database_is_down_until_it_responds(
    deployment: Deployment, work: Workload, links: Mapping[str, Link]
) -> None:
    daemon = deployment.start(**settings(links), **SHORT_TIMEOUTS)
    send_and_await_first_row(work)
    links["postgres"].proxy.silent = True
    work.send(20)
    await_event(deployment, "dependency.down", dependency="postgres")
    links["postgres"].proxy.silent = False
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []


@pytest.mark.matrix
def test_a_database_that_falls_silent_at_the_commit_is_down_and_no_update_is_applied_twice(
    deployment: Deployment, work: Workload, links: Mapping[str, Link]
) -> None:
    daemon = deployment.start(**settings(links), **SHORT_TIMEOUTS)
    links["postgres"].proxy.hold_answer_to = b"COMMIT"
    work.send(20)
    await_event(deployment, "dependency.down", dependency="postgres")
    links["postgres"].release()
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []


@pytest.mark.matrix
def test_an_s3_that_is_silent_and_then_resets_connections_costs_no_copy(
    deployment: Deployment, work: Workload, links: Mapping[str, Link]
) -> None:
    daemon = deployment.start(**settings(links))
    links["s3"].proxy.silent = True
    links["s3"].proxy.await_request = b"HEAD "
    send_and_await_first_row(work)
    deployment.until(links["s3"].proxy.reached.is_set, expected=True)
    links["s3"].restore()
    everything_is_accounted_for(work, daemon)


@pytest.mark.matrix
@pytest.mark.parametrize("server", SERVERS)
def test_a_slow_server_only_costs_time(
    deployment: Deployment, work: Workload, links: Mapping[str, Link], server: str
) -> None:
    links[server].proxy.delay = 0.1
    daemon = deployment.start(**settings(links))
    work.send(20)
    work.send_copies(5)
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []


@pytest.mark.matrix
@pytest.mark.parametrize("lost", ["COMMIT", DELETE.decode()])
def test_a_lost_response_makes_no_update_apply_twice(
    deployment: Deployment, work: Workload, links: Mapping[str, Link], lost: str
) -> None:
    link = links["postgres" if lost == "COMMIT" else "sqs"]
    daemon = deployment.start(**settings(links))
    link.proxy.lose_answer_to = lost.encode()
    work.send(20)
    deployment.until(link.proxy.lost.is_set, expected=True)
    link.proxy.lose_answer_to = None
    everything_is_accounted_for(work, daemon)
