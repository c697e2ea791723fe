"""Publishing status updates to the queue."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

from orca_daemon.aws.publisher import TRIES, Publisher, PublishError
from orca_daemon.engine import places
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import DependencyDown, NotYet
from orca_daemon.local.moto import REGION
from orca_daemon.wire.status import Grouping, RecoveryStatus, UpdateFile

NOW = datetime(2026, 11, 21, 3, 0, 0, 123456, tzinfo=UTC)
STAGED = UpdateFile(
    job_id="op-1",
    collection_id="c",
    granule_id="g",
    filename="f",
    last_update=NOW,
    status=RecoveryStatus.STAGED,
)
BODY = (
    '{"jobId": "op-1", "collectionId": "c", "granuleId": "g", "filename": "f", '
    '"lastUpdate": "2026-11-21T03:00:00.123456+00:00", "statusId": 2}'
)


@pytest.fixture
async def sqs(aws_endpoint: str, session: AioSession) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(
            session.create_client("sqs", region_name=REGION, endpoint_url=aws_endpoint)
        )


async def sent(sqs: Any, url: str) -> dict[str, Any]:
    answer = await sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])
    [message] = answer["Messages"]
    received: dict[str, Any] = message
    return received


async def test_an_update_is_sent_as_orca_sends_it(
    sqs: Any, status_queue: tuple[str, Callable[[], list[dict[str, Any]]]]
) -> None:
    await Publisher(sqs, status_queue[0]).post(STAGED)
    message = await sent(sqs, status_queue[0])
    assert message["Body"] == BODY
    assert message["Attributes"]["MessageGroupId"] == "request_files"
    assert message["Attributes"]["MessageDeduplicationId"].startswith("update_file")
    assert message["MessageAttributes"]["RequestMethod"]["StringValue"] == "update_file"


async def test_groups_are_those_of_the_settings(
    sqs: Any, status_queue: tuple[str, Callable[[], list[dict[str, Any]]]]
) -> None:
    await Publisher(sqs, status_queue[0], grouping=Grouping.GRANULE).post(STAGED)
    assert len((await sent(sqs, status_queue[0]))["Attributes"]["MessageGroupId"]) == 64


async def test_a_queue_that_does_not_exist_is_down_until_it_does(sqs: Any, aws_endpoint: str) -> None:
    succeeded: list[tuple[str, str]] = []
    places.listen(lambda *place: succeeded.append(place))
    publisher = Publisher(sqs, f"{aws_endpoint}/123456789012/late.fifo")
    with pytest.raises(DependencyDown, match=r"QueueDoesNotExist|NonExistentQueue") as caught:
        await publisher.post(STAGED)
    assert (caught.value.dependency, caught.value.place, succeeded) == ("sqs", "send late.fifo", [])
    created = await sqs.create_queue(QueueName="late.fifo", Attributes={"FifoQueue": "true"})
    await publisher.post(STAGED)
    assert (await sent(sqs, created["QueueUrl"]))["Body"] == BODY
    assert succeeded == [("sqs", "send late.fifo")]


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "KmsAccessDenied", "KmsDisabled"])
async def test_a_queue_that_denies_to_send_is_down_and_not_the_fault_of_the_copy(code: str) -> None:
    class Denying:
        async def send_message(self, **_: Any) -> None:
            answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(answer, "SendMessage")  # type: ignore[arg-type]

    with pytest.raises(DependencyDown, match=code) as caught:
        await Publisher(Denying(), "http://127.0.0.1/q").post(STAGED)
    assert (caught.value.dependency, caught.value.place) == ("sqs", "send q")


async def test_an_update_that_the_queue_refuses_is_an_error_with_the_reason() -> None:
    class Refusing:
        async def send_message(self, **_: Any) -> None:
            answer = {
                "Error": {"Code": "InvalidMessageContents", "Message": "no"},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
            raise ClientError(answer, "SendMessage")  # type: ignore[arg-type]

    with pytest.raises(PublishError, match="InvalidMessageContents on SendMessage: no"):
        await Publisher(Refusing(), "http://127.0.0.1/q").post(STAGED)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "ExpiredToken"),
        (400, "ExpiredTokenException"),
        (400, "RequestThrottled"),
        (503, "ServiceUnavailable"),
    ],
)
async def test_a_transient_failure_is_waited_for_and_not_charged_to_the_copy(status: int, code: str) -> None:
    class Refusing:
        calls = 0

        async def send_message(self, **_: Any) -> None:
            self.calls += 1
            answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(answer, "SendMessage")  # type: ignore[arg-type]

    sqs = Refusing()
    with pytest.raises(NotYet, match=f"the status queue cannot be reached: .*{code}"):
        await Publisher(sqs, "http://127.0.0.1/q", backoff=Backoff(base=0.0, floor=0.0)).post(STAGED)
    assert sqs.calls == TRIES
