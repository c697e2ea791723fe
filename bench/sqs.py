"""Receive and delete over HTTP, by the direct calls and through aiobotocore, in turns on the same server."""

import asyncio
import os
import time
from dataclasses import dataclass
from uuid import uuid4

from bench.report import Report, Target
from bench.size import Size
from orca_daemon.aws.clients import connect
from orca_daemon.aws.sqs import SqsSource
from orca_daemon.engine.source import BATCH
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.moto import CREDENTIALS
from orca_daemon.ops.gc_tuning import tune_gc
from orca_daemon.settings import Settings

LOOPS = 4
BODY = "x" * 300
MICRO = 1e6
MIN_TIMES_AS_MANY = 2.3
"""Messages a second, compared with aiobotocore."""


@dataclass(slots=True)
class Way:
    """Totals of one way."""

    messages: int = 0
    seconds: float = 0.0
    processor: float = 0.0


def measure(size: Size) -> Report:
    """Both ways in turns, so that a slow minute of the machine hits both."""
    os.environ.update(CREDENTIALS)
    tune_gc()  # as the daemon does
    count, turns = size.pick(20_000, 5_000, 200), size.pick(5, 3, 1)
    ways = {True: Way(), False: Way()}
    with Endpoint("orca_daemon.local.sqs", ("0",)) as server:
        for _ in range(turns):
            for direct, way in ways.items():
                asyncio.run(_drain(server.url, count, way, direct=direct))
    rates = {direct: way.messages / way.seconds for direct, way in ways.items()}
    costs = {direct: way.processor / way.messages * MICRO for direct, way in ways.items()}
    return Report(
        name="sqs",
        figures={
            "aiobotocore: messages/s": rates[False],
            "aiobotocore: CPU, µs a message": costs[False],
            "direct: messages/s": rates[True],
            "direct: CPU, µs a message": costs[True],
            "times less CPU": costs[False] / costs[True],
        },
        targets=[
            Target(
                name="times as many messages a second",
                measured=rates[True] / rates[False],
                at_least=MIN_TIMES_AS_MANY,
            )
        ],
    )


async def _drain(endpoint: str, count: int, way: Way, *, direct: bool) -> None:
    """Fill a queue, then receive and delete all its messages, and add what it took to `way`."""
    aws = {"region": "us-west-2", "endpoint_url": endpoint, "direct_calls": direct}
    async with connect(Settings.model_validate({"aws": aws})) as clients:
        created = await clients.control.create_queue(QueueName=f"q-{uuid4().hex[:8]}")
        source = SqsSource(clients.poll, clients.control, created["QueueUrl"])
        entries = [{"Id": str(number), "MessageBody": BODY} for number in range(BATCH)]
        for _ in range(count // BATCH):
            await clients.control.send_message_batch(QueueUrl=created["QueueUrl"], Entries=entries)
        left = count

        async def loop() -> None:
            nonlocal left
            while left > 0:
                if envelopes := await source.receive(BATCH, wait=0, lease=120):
                    await source.delete(envelopes)
                    left -= len(envelopes)

        began, processor = time.perf_counter(), time.process_time()
        await asyncio.gather(*(loop() for _ in range(LOOPS)))
        way.seconds += time.perf_counter() - began
        way.processor += time.process_time() - processor
        way.messages += count
