"""The queues that are compared, behind one face: ours in memory, and any that speak SQS's protocol."""

import asyncio
import contextlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

from botocore.exceptions import ClientError

from orca_daemon.aws.sqs import TRACE, SqsSource
from orca_daemon.engine.memory import MemoryQueue, MemorySource, Redrive, RequestRefusedError
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import QueueFacts, Source
from orca_daemon.local.sqs import attributes as api

FIFO = {"FifoQueue": "true"}
ARRIVAL = 0.5
"""Seconds that a request may take to arrive: nothing tells when a poll has begun at the other end."""
TRIES = 3
"""How often such a poll is tried: on a busy machine one may come too late, and show nothing."""
_NAMES = {"NonExistentQueue": "QueueDoesNotExist", "QueueAlreadyExists": "QueueNameExists"}


class RefusalError(Exception):
    """A call was refused; `code` is SQS's name of the error, without its prefix."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        short = code.rsplit(".", 1)[-1]
        self.code = _NAMES.get(short, short)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the sender learns."""

    id: str
    sequence: int


@dataclass(slots=True)
class InMemory:
    """A `MemoryQueue`."""

    queue: MemoryQueue
    source: Source

    async def send(self, body: str, **parameters: Any) -> Sent:
        given = {_MEMORY[name]: value for name, value in parameters.items()}
        try:
            sent = self.queue.send(body, **given)
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
    """Our queue, called directly."""

    name = "memory"

    async def queue(self, attributes: Mapping[str, str] = {}, *, dead: Any = None, most: int = 3) -> InMemory:
        import time

        fifo = attributes.get("FifoQueue") == "true"
        complete = api.DEFAULTS | (api.FIFO_DEFAULTS if fifo else {}) | dict(attributes)
        queue = MemoryQueue("q", api.options(complete, fifo=fifo), clock=time.time, rng=random.Random())
        grave = dead.queue if isinstance(dead, InMemory) else None
        queue.redrive = Redrive(grave, most) if grave else None
        return InMemory(queue, MemorySource(queue, grave))


@dataclass(slots=True)
class OverHttp:
    """A queue behind SQS's protocol."""

    client: Any
    url: str
    source: SqsSource

    async def send(self, body: str, **parameters: Any) -> Sent:
        given = {_HTTP[name]: value for name, value in parameters.items()}
        if trace := given.get("MessageSystemAttributes"):
            given["MessageSystemAttributes"] = {TRACE: {"DataType": "String", "StringValue": trace}}
        answer = await refusing(self.client.send_message(QueueUrl=self.url, MessageBody=body, **given))
        return Sent(answer["MessageId"], int(answer.get("SequenceNumber", 0)))

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
    """Whatever listens at an endpoint."""

    name: str
    client: Any

    async def queue(self, attributes: Mapping[str, str] = {}, *, dead: Any = None, most: int = 3) -> OverHttp:
        given = dict(attributes)
        if isinstance(dead, OverHttp):
            arn = await self.arn(dead)
            given["RedrivePolicy"] = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": {most}}}'
        name = f"q{uuid4().hex}" + (".fifo" if given.get("FifoQueue") == "true" else "")
        answer = await refusing(self.client.create_queue(QueueName=name, Attributes=given))
        url = answer["QueueUrl"]
        return OverHttp(self.client, url, SqsSource(self.client, self.client, url))

    async def arn(self, queue: OverHttp) -> str:
        """The ARN of a queue."""
        answer = await self.client.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])


Queue: TypeAlias = InMemory | OverHttp
Party: TypeAlias = Memory | Http


async def refusing(call: Any) -> Any:
    """The answer, or `RefusalError` where the client raises its own."""
    try:
        return await call
    except ClientError as error:
        reported = error.response["Error"]
        raise RefusalError(reported["Code"], reported.get("Message", "")) from error


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
    """Wait until so many messages are visible, without receiving one."""
    async with asyncio.timeout(10):
        while (await queue.counts())[0] < count:  # noqa: ASYNC110  the queue is elsewhere
            await asyncio.sleep(0.05)


async def taken(queue: Queue) -> None:
    """Wait until somebody has taken a message, for as long as a poll that was left over may need for it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ARRIVAL):
            while (await queue.counts())[1] == 0:  # noqa: ASYNC110  the queue is elsewhere
                await asyncio.sleep(0.05)
