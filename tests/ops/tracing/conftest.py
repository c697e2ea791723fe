"""A collector, and the tracer of a process that sends to it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from orca_daemon.engine.engine import Binding, Engine
from orca_daemon.engine.events import Event, Settled
from orca_daemon.engine.memory import MemoryQueue, MemorySource, QueueOptions
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.engine.route import Route
from orca_daemon.ops.tracing import runs
from orca_daemon.ops.tracing.export import Tracing
from tests.collector import Collector

SENDER = "0af7651916cd43dd8448eb211c80319c"
URL = "https://sqs.us-west-2.amazonaws.com/123456789012/work.fifo"


def traceparent(span: int, *, sampled: bool = True) -> str:
    return f"00-{SENDER}-{span:016x}-{sampled:02x}"


def link(span: int) -> tuple[str, str]:
    return (SENDER, f"{span:016x}")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
async def tracing(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tracing]:
    for name, value in collector.variables.items():
        monkeypatch.setenv(name, value)
    started = Tracing("1.2.3")
    yield started
    await started.close()


class Rig:
    """An engine with one traced route on a queue in memory."""

    def __init__(self, tracing: Tracing, route: Route[Any]) -> None:
        fifo = route.merge
        self.queue = MemoryQueue("work", QueueOptions(fifo=fifo), clock=time.time)
        self.dead = MemoryQueue("dead", QueueOptions(fifo=fifo), clock=time.time)
        self.events: list[Event] = []
        source = MemorySource(self.queue, self.dead)
        binding = Binding(
            name="work",
            route=runs.RunTracer(tracing.tracer, URL).traced(route),
            source=source,
            facts=source.describe(),
            options=ConsumerOptions(wait=0.05, concurrency=2, max_attempts=2),
        )
        self.engine = Engine([binding], probes={}, drain_seconds=5, observe=self._observe)

    def _observe(self, event: Event) -> None:
        self.events.append(event)
        runs.observe(event)

    def send(self, number: int, body: str = "", *, sampled: bool = True) -> None:
        """Send a message whose sender was the span with this number."""
        text = {"DataType": "String", "StringValue": traceparent(number, sampled=sampled)}
        self.queue.send(
            body or str(number),
            attributes={"traceparent": text},
            group=f"g{number}" if self.queue.options.fifo else None,
            deduplication_id=str(number) if self.queue.options.fifo else None,
        )

    @property
    def settled(self) -> list[Settled]:
        return [event for event in self.events if isinstance(event, Settled)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The engine runs in the block, until the queue is empty."""
        work = asyncio.create_task(self.engine.run())
        yield
        while any(self.queue.counts()):  # noqa: ASYNC110  the queue has no event for "empty"
            await asyncio.sleep(0.005)
        self.engine.stop()
        await work


@pytest.fixture
def make_rig(tracing: Tracing) -> Callable[[Route[Any]], Rig]:
    return lambda route: Rig(tracing, route)
