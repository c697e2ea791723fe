"""Drains a preloaded FIFO queue: by a bare loop, and by the daemon's engine into Postgres."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from bench.status.workload import Sent
from orca_daemon.aws.clients import connect
from orca_daemon.aws.sqs import SqsSource
from orca_daemon.db.database import Database
from orca_daemon.engine.engine import Binding, Engine
from orca_daemon.engine.events import Event, Settled
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues import status_update
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings

POLLERS = 4


def settings(endpoint: str, queue: str, database: str) -> Settings:
    """The daemon's settings for one queue and one database."""
    return Settings.model_validate(
        {
            "aws": {"region": "us-west-2", "endpoint_url": endpoint},
            "database": {"url": database},
            "queues": {"status_update": {"url": queue, "pollers": POLLERS}},
        }
    )


async def preload(client: Any, name: str, messages: Sequence[Sent]) -> str:
    """Create a queue with these messages; returns its URL."""
    created = await client.create_queue(
        QueueName=name, Attributes={"FifoQueue": "true", "VisibilityTimeout": "120"}
    )
    url = str(created["QueueUrl"])
    for start in range(0, len(messages), 10):
        entries = [
            {
                "Id": str(number),
                "MessageBody": one.body,
                "MessageGroupId": one.group,
                "MessageDeduplicationId": f"{start}-{number}",
                "MessageAttributes": {"RequestMethod": {"DataType": "String", "StringValue": one.method}},
            }
            for number, one in enumerate(messages[start : start + 10])
        ]
        await client.send_message_batch(QueueUrl=url, Entries=entries)
    return url


async def bare(config: Settings, queue: str, count: int) -> float:
    """Seconds for receive and delete without any processing."""
    left = count
    async with connect(config) as clients:
        source = SqsSource(clients.poll, clients.control, queue)
        await source.describe()

        async def loop() -> None:
            nonlocal left
            while left > 0:
                if envelopes := await source.receive(10, wait=0, lease=120):
                    await source.delete(envelopes)
                    left -= len(envelopes)

        began = time.perf_counter()
        await asyncio.gather(*(loop() for _ in range(POLLERS)))
        return time.perf_counter() - began


async def daemon(config: Settings, count: int) -> float:
    """Seconds for the engine with the route for status updates."""
    database = Database(config.database)
    await database.probe()
    async with connect(config) as clients:
        services = Services(settings=config, clients=clients, database=database, metrics=Metrics())
        source = SqsSource(clients.poll, clients.control, config.queues["status_update"].url or "")
        left, finished = count, asyncio.Event()

        def observe(event: Event) -> None:
            nonlocal left
            if isinstance(event, Settled):
                assert event.outcome == "deleted", event
                left -= 1
                if not left:
                    finished.set()

        route = status_update.route(services)
        binding = Binding(
            name="status_update",
            route=route,
            source=source,
            facts=await source.describe(),
            options=ConsumerOptions(pollers=POLLERS, concurrency=route.concurrency, wait=1.0),
        )
        engine = Engine([binding], probes={"postgres": database.probe}, drain_seconds=5, observe=observe)
        began = time.perf_counter()
        running = asyncio.create_task(engine.run())
        await finished.wait()
        seconds = time.perf_counter() - began
        engine.stop()
        await running
    database.close()
    return seconds
