"""An engine over one queue in memory, on virtual time: for tests that need a certain moment to go wrong."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.charges import Rules
from orca_daemon.engine.dependencies import Dependencies
from orca_daemon.engine.engine import Binding, Drained, Engine, EngineOptions
from orca_daemon.engine.events import Event, Settled, SettlementFailed
from orca_daemon.engine.memory import MemoryQueue, MemorySource, QueueOptions
from orca_daemon.engine.memory.deduplication import content_id
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.queue_context import ConsumerOptions, QueueContext
from orca_daemon.engine.route import Route
from tests.simulation.loop import VirtualLoop

T = TypeVar("T")


def on_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop of its own whose clock jumps."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        while tasks := asyncio.all_tasks(loop):
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.wait(tasks))
        loop.close()


async def down() -> None:
    """A probe of something that does not answer."""
    raise ConnectionError


class Rig:
    """One queue, one engine, and what happened."""

    def __init__(self, *, fifo: bool = False, dead_letter: bool = True) -> None:
        clock = asyncio.get_running_loop().time
        rng = random.Random(1)
        options = QueueOptions(fifo=fifo)
        self.dead = MemoryQueue("dead", options, clock=clock, rng=rng)
        self.queue = MemoryQueue("queue", options, clock=clock, rng=rng)
        self.source = MemorySource(self.queue, self.dead if dead_letter else None)
        self.events: list[Event] = []
        self.handled: list[tuple[float, str]] = []

    def send(self, *bodies: str, group: str = "g") -> None:
        """Put messages on the queue."""
        for body in bodies:
            if self.source.describe().fifo:
                self.queue.send(body, group=group, deduplication_id=content_id(body))
            else:
                self.queue.send(body)

    def meddle(self, **calls: Callable[..., Awaitable[object]]) -> None:
        """Replace calls of the source, by name."""
        for name, call in calls.items():
            setattr(self.source, name, call)

    def engine(
        self,
        handle: Callable[[str], Awaitable[None]],
        /,
        *,
        options: ConsumerOptions | None = None,
        probes: Mapping[str, Callable[[], Awaitable[None]]] | None = None,
        drain_seconds: float = 50.0,
        rules: Rules | None = None,
        **route: Any,
    ) -> Engine:
        """An engine that calls `handle` with the body of each message; `route` changes the rest."""
        now = asyncio.get_running_loop().time

        async def work(run: Sequence[Delivery[str]], /) -> None:
            for delivery in run:
                self.handled.append((now(), delivery.message))
                await handle(delivery.message)

        base: Route[str] = Route(
            name="work",
            decode=lambda envelope: envelope.body,
            handle=work,
            backoff=Backoff(base=0.5, cap=5.0),
        )
        made = replace(base, **route)
        binding = Binding(
            name="queue",
            route=made,
            source=self.source,
            facts=self.source.describe(),
            options=replace(options or ConsumerOptions(pollers=1, wait=1.0), max_attempts=made.max_attempts),
        )
        return Engine(
            [binding],
            probes=probes or {},
            drain_seconds=drain_seconds,
            observe=self.events.append,
            options=EngineOptions(rules=rules or Rules(), rng=random.Random(1)),
        )

    def context(self) -> QueueContext:
        """What the parts of a consumer share, for tests of one part."""
        rng = random.Random(1)
        return QueueContext(
            name="queue",
            route=Route(name="work", decode=lambda envelope: envelope.body, handle=_nothing),
            source=self.source,
            facts=self.source.describe(),
            options=ConsumerOptions(),
            dependencies=Dependencies({}, (), rules=Rules(), observe=self.events.append, rng=rng),
            observe=self.events.append,
            rng=rng,
        )

    async def live(self, engine: Engine, seconds: float, **side: Coroutine[Any, Any, None]) -> Drained:
        """Run the engine that long, then drain it."""
        asyncio.get_running_loop().call_later(seconds, engine.stop)
        return await engine.run(side)

    def settled(self) -> list[tuple[str, str]]:
        """How each message left, in order: its body and the outcome."""
        return [(one.envelope.body, one.outcome) for one in self.events if isinstance(one, Settled)]

    def events_of_leaving(self) -> list[Envelope]:
        """The deliveries that left, in order."""
        return [one.envelope for one in self.events if isinstance(one, Settled)]

    def failures(self, operation: str) -> int:
        """How often an operation was told to have failed."""
        return sum(isinstance(one, SettlementFailed) and one.operation == operation for one in self.events)


async def _nothing(_: Sequence[Delivery[str]], /) -> None:
    """A handler that does nothing."""
