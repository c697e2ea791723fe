"""How much waits on the queues, by their own count, asked every half minute."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog
from botocore.exceptions import BotoCoreError, ClientError

SECONDS = 30.0
ATTRIBUTES = {
    "visible": "ApproximateNumberOfMessages",
    "inflight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


class Show(Protocol):
    """Takes the depth of one queue."""

    def __call__(self, queue: str, *, visible: int, inflight: int, delayed: int) -> None: ...  # noqa: D102


async def watch(
    client: Any,
    urls: Mapping[str, str],
    show: Show,
    sleep: Callable[[float], Any] = asyncio.sleep,
) -> None:
    """Ask for ever; a supervised task.  `urls` is the queues' names and URLs."""
    while True:
        for name, url in urls.items():
            try:
                show(name, **await depth(client, url))
            except (BotoCoreError, ClientError, OSError) as error:
                # The pollers of the queue say the same thing louder.
                structlog.get_logger().debug("depth.unknown", queue=name, error=type(error).__name__)
        await sleep(SECONDS)


async def depth(client: Any, url: str) -> dict[str, int]:
    """Messages visible, in flight and delayed, roughly."""
    answer = await client.get_queue_attributes(QueueUrl=url, AttributeNames=list(ATTRIBUTES.values()))
    found = answer.get("Attributes", {})
    return {name: int(found.get(attribute, 0)) for name, attribute in ATTRIBUTES.items()}
