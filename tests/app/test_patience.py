"""What the start waits for, and for how long: new access keys, a wrong clock, unproven answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from orca_daemon.app import bindings, patience
from orca_daemon.app.checkup.settings import handlers
from orca_daemon.aws.clients import connect
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.engine import Binding
from orca_daemon.local.moto import REGION
from orca_daemon.ops.exits import StartConfigurationError
from orca_daemon.ops.health import StartWait
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings
from tests.aws.s3copy.faulty import Fault, Faulty
from tests.conftest import QueuePair

EXPIRED = "Signature expired: 20150101T000000Z is now earlier than 20261129T000000Z"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "BACKOFF", Backoff(base=0.0, floor=0.0))


@pytest.fixture
async def proxy(sqs_endpoint: str) -> AsyncIterator[Faulty]:
    async with Faulty(sqs_endpoint) as made:
        yield made


async def bind(
    proxy: Faulty, url: str, report: Callable[[StartWait], None] = lambda _: None
) -> list[Binding]:
    settings = Settings.model_validate(
        {
            "aws": {"region": REGION, "endpoint_url": proxy.url},
            "queues": {"recovery": {"url": url}},
            "recovery": {"unknown_keys": "route", "protected_bucket": "b", "public_bucket": "b"},
        }
    )
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(connect(settings))
        services = Services(
            settings=settings,
            clients=clients,
            database=None,
            metrics=Metrics(handlers(settings), operations=()),
        )
        return await bindings.bind(services, report)


def refusal(code: str, message: str = "no", times: int = 3) -> Fault:
    return Fault(lambda _: True, 403, code, message, times=times, as_json=True)


def waited(logs: list[Any]) -> list[str]:
    return [entry["reason"] for entry in logs if entry["event"] == "start.waiting"]


@pytest.mark.parametrize(
    "code", ["InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "ExpiredToken"]
)
async def test_the_start_waits_for_a_new_access_key(proxy: Faulty, queues: Any, code: str) -> None:
    proxy.fail(refusal(code))
    pair: QueuePair = queues()
    with capture_logs() as logs:
        [bound] = await bind(proxy, pair.url)
    assert bound.facts.dead_letter == pair.dead_letter_url.replace(
        pair.dead_letter_url.split("/")[2], proxy.url.split("/")[2]
    )
    assert waited(logs) == [f"AWS does not accept the credentials ({code} on GetQueueAttributes)"] * 3


async def test_what_the_start_waits_for_is_reported_before_the_first_attempt_and_after_each_failure(
    proxy: Faulty, queues: Any
) -> None:
    proxy.fail(refusal("InvalidClientTokenId", times=2))
    reports: list[StartWait] = []
    await bind(proxy, queues().url, reports.append)

    reason = "AWS does not accept the credentials (InvalidClientTokenId on GetQueueAttributes)"
    assert [(each.what, each.reason) for each in reports] == [
        ("queue recovery", ""),
        ("queue recovery", reason),
        ("queue recovery", reason),
    ]
    assert len({each.since for each in reports}) == 1


async def test_the_start_refuses_a_key_that_stays_refused(
    proxy: Faulty, queues: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "CREDENTIALS_SETTLE", 0.0)
    proxy.fail(refusal("InvalidClientTokenId", times=1000))
    sentence = r"^queue recovery: AWS does not accept the .*\): correct the key, the profile or the role$"
    with pytest.raises(StartConfigurationError, match=sentence):
        await bind(proxy, queues().url)


async def test_the_start_waits_for_a_wrong_clock_without_limit(
    proxy: Faulty, queues: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "CREDENTIALS_SETTLE", 0.0)
    proxy.fail(refusal("SignatureDoesNotMatch", EXPIRED))
    with capture_logs() as logs:
        assert await bind(proxy, queues().url)
    reported = "this machine's clock is wrong (SignatureDoesNotMatch on GetQueueAttributes)"
    assert waited(logs) == [reported] * 3


async def test_the_start_refuses_a_denied_queue(proxy: Faulty, queues: Any) -> None:
    proxy.fail(refusal("AccessDenied"))
    with pytest.raises(StartConfigurationError, match="allow this role to do it"):
        await bind(proxy, queues().url)


async def test_the_start_waits_while_a_proxy_answers_with_a_page(proxy: Faulty, queues: Any) -> None:
    proxy.fail(Fault(lambda _: True, page="<html>log in</html>", times=2))
    with capture_logs() as logs:
        assert await bind(proxy, queues().url)
    assert waited(logs)[0].startswith("UnprovenError: not an answer of AWS to GetQueueAttributes")


async def test_a_dead_letter_queue_that_takes_less_is_reported_at_the_start(
    proxy: Faulty, queues: Any, sqs: Any
) -> None:
    pair = queues()
    sqs.set_queue_attributes(QueueUrl=pair.dead_letter_url, Attributes={"MaximumMessageSize": "2048"})
    with capture_logs() as logs:
        await bind(proxy, pair.url)
    [reported] = [entry for entry in logs if entry["event"] == "queue.dead_letter_queue_takes_less"]
    assert (reported["largest"], reported["dead_letter_largest"]) == (262_144, 2048)


async def test_a_queue_of_another_region_is_refused_by_name(proxy: Faulty) -> None:
    url = "https://vpce-1a.sqs.eu-west-1.vpce.amazonaws.com/123456789012/q"
    with pytest.raises(
        StartConfigurationError, match=r"q is in eu-west-1, .* go to us-west-2: set AWS_REGION=eu-west-1"
    ):
        await bind(proxy, url)


async def test_the_start_reports_a_host_of_the_url_that_is_not_used(proxy: Faulty, queues: Any) -> None:
    url = queues().url
    with capture_logs() as logs:
        assert await bind(proxy, url)
    [reported] = [entry for entry in logs if entry["event"] == "queue.url_host_unused"]
    assert (
        reported["reason"]
        == f"requests go to {proxy.url}, not to {url.split('/')[2]}, the host of the queue's URL"
    )
