"""One interface to the SQS implementations that are compared: our queue in memory, and servers over HTTP."""

import asyncio
import contextlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

from botocore.exceptions import ClientError

from orca_daemon.aws.sqs import SqsSource
from orca_daemon.aws.sqs_messages import TRACE
from orca_daemon.engine.memory import MemoryQueue, MemorySource, Redrive, RequestRefusedError
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import QueueFacts, Source
from orca_daemon.local.sqs import attributes as api

FIFO = {"FifoQueue": "true"}
ARRIVAL = 0.5
"""Seconds within which a request should arrive: the client cannot see when the server has started a poll."""
TRIES = 3
"""Repetitions of such a test: on a busy machine a poll may arrive after `ARRIVAL`, which proves nothing."""
_NAMES = {"NonExistentQueue": "QueueDoesNotExist", "QueueAlreadyExists": "QueueNameExists"}


class RefusalError(Exception):
    """An implementation refused a call; `code` is SQS's error code without its prefix."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        short = code.rsplit(".", 1)[-1]
        self.code = _NAMES.get(short, short)


@dataclass(frozen=True, slots=True)
class Sent:
    """The result of a send: message id and sequence number (0 on a standard queue)."""

    id: str
    sequence: int


@dataclass(slots=True)
class InMemory:
    """A queue of `Memory`."""

    queue: MemoryQueue
    source: Source

    async def send(self, body: str, **parameters: Any) -> Sent:
        arguments = {_MEMORY[name]: value for name, value in parameters.items()}
        try:
            sent = self.queue.send(body, **arguments)
        except RequestRefusedError as error:
            raise RefusalError(error.code, str(error)) from error
        return Sent(sent.id, sent.sequence)

    async def counts(self) -> tuple[int, int, int]:
        return self.queue.counts()

    async def describe(self) -> QueueFacts:
        assert isinstance(self.source, MemorySource)
        return self.source.describe()

    async def receive(
        self, limit: int = 10, *, wait: float = 0, lease: float = 30, attempt_id: str | None = None
    ) -> Sequence[Envelope]:
        return await self.source.receive(limit, wait=wait, lease=lease, attempt_id=attempt_id)


class Memory:
    """Our `MemoryQueue`, called directly."""

    name = "memory"

    async def queue(
        self, attributes: Mapping[str, str] = {}, *, dead: Any = None, max_receives: int = 3
    ) -> InMemory:
        import time

        fifo = attributes.get("FifoQueue") == "true"
        complete = api.DEFAULTS | (api.FIFO_DEFAULTS if fifo else {}) | dict(attributes)
        queue = MemoryQueue("q", api.options(complete, fifo=fifo), clock=time.time, rng=random.Random())
        dead_letter_queue = dead.queue if isinstance(dead, InMemory) else None
        queue.redrive = Redrive(dead_letter_queue, max_receives) if dead_letter_queue else None
        return InMemory(queue, MemorySource(queue, dead_letter_queue))


@dataclass(slots=True)
class OverHttp:
    """A queue of `Http`."""

    client: Any
    url: str
    source: SqsSource

    async def send(self, body: str, **parameters: Any) -> Sent:
        arguments = {_HTTP[name]: value for name, value in parameters.items()}
        if trace := arguments.get("MessageSystemAttributes"):
            arguments["MessageSystemAttributes"] = {TRACE: {"DataType": "String", "StringValue": trace}}
        call = self.client.send_message(QueueUrl=self.url, MessageBody=body, **arguments)
        response = await raise_refusal(call)
        return Sent(response["MessageId"], int(response.get("SequenceNumber", 0)))

    async def counts(self) -> tuple[int, int, int]:
        depth = await self.source.depth()
        return depth.visible, depth.inflight, depth.delayed

    async def describe(self) -> QueueFacts:
        return await self.source.describe()

    async def receive(
        self, limit: int = 10, *, wait: float = 0, lease: float = 30, attempt_id: str | None = None
    ) -> Sequence[Envelope]:
        return await self.source.receive(limit, wait=wait, lease=lease, attempt_id=attempt_id)


@dataclass(slots=True)
class Http:
    """A server that speaks SQS's protocol."""

    name: str
    client: Any

    async def queue(
        self, attributes: Mapping[str, str] = {}, *, dead: Any = None, max_receives: int = 3
    ) -> OverHttp:
        complete = dict(attributes)
        if isinstance(dead, OverHttp):
            arn = await self.arn(dead)
            complete["RedrivePolicy"] = (
                f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": {max_receives}}}'
            )
        name = f"q{uuid4().hex}" + (".fifo" if complete.get("FifoQueue") == "true" else "")
        response = await raise_refusal(self.client.create_queue(QueueName=name, Attributes=complete))
        url = response["QueueUrl"]
        return OverHttp(self.client, url, SqsSource(self.client, self.client, url))

    async def arn(self, queue: OverHttp) -> str:
        """The ARN of a queue."""
        response = await self.client.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])
        return str(response["Attributes"]["QueueArn"])


Queue: TypeAlias = InMemory | OverHttp
Party: TypeAlias = Memory | Http


async def raise_refusal(call: Any) -> Any:
    """Await a call of the client; raises `RefusalError` in place of `ClientError`."""
    try:
        return await call
    except ClientError as error:
        details = error.response["Error"]
        raise RefusalError(details["Code"], details.get("Message", "")) from error


_MEMORY = {
    "group": "group",
    "id": "deduplication_id",
    "delay": "delay",
    "attributes": "attributes",
    "trace": "trace",
}
_HTTP = {
    "group": "MessageGroupId",
    "id": "MessageDeduplicationId",
    "delay": "DelaySeconds",
    "attributes": "MessageAttributes",
    "trace": "MessageSystemAttributes",
}


async def visible(queue: Queue, count: int = 1) -> None:
    """Wait until at least `count` messages are visible, without receiving one."""
    async with asyncio.timeout(10):
        while (await queue.counts())[0] < count:  # noqa: ASYNC110  the server has no event to wait for
            await asyncio.sleep(0.05)


async def wait_for_receive(queue: Queue) -> None:
    """Wait until a message is in flight, for at most the time in which an abandoned poll could receive it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ARRIVAL):
            while (await queue.counts())[1] == 0:  # noqa: ASYNC110  the server has no event to wait for
                await asyncio.sleep(0.05)
