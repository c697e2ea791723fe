"""All queues of the process: start, run, drain, stop."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

from orca_daemon.engine.charges import Rules
from orca_daemon.engine.consumer import Consumer, ConsumerOptions
from orca_daemon.engine.dependencies import Dependencies
from orca_daemon.engine.errors import RouteError
from orca_daemon.engine.events import Drain, Observer, Paused
from orca_daemon.engine.lease_keeper import LeaseKeeper
from orca_daemon.engine.route import Route
from orca_daemon.engine.source import QueueFacts, Source
from orca_daemon.engine.state import EngineState

T = TypeVar("T")
CANCELLED_SECONDS = 2.0
"""How long cancelled work may take to stop before the process goes without it."""
FLUSH_SECONDS = 5.0
"""How long the last deletes and releases may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A queue and what is to be done with its messages."""

    name: str
    route: Route[Any]
    source: Source
    facts: QueueFacts
    options: ConsumerOptions = field(default_factory=ConsumerOptions)


@dataclass(frozen=True, slots=True)
class Drained:
    """How the engine ended: messages that were not finished when the time was up, and seconds it took."""

    unfinished: int
    seconds: float


class Engine:
    """Consumes the queues until `stop`, then drains.  An engine runs once."""

    def __init__(
        self,
        bindings: Sequence[Binding],
        *,
        probes: Mapping[str, Callable[[], Awaitable[None]]],
        drain_seconds: float,
        observe: Observer,
        rules: Rules | None = None,
        about: Mapping[str, object] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        rng = rng or random.Random()
        self._observe = observe
        self._drain_seconds = drain_seconds
        self.dependencies = Dependencies(
            probes,
            {name for binding in bindings for name in binding.route.by_place},
            rules=rules or Rules(),
            observe=observe,
            rng=rng,
        )
        for binding in bindings:
            if missing := binding.route.needs - probes.keys():
                raise RouteError(
                    f"{binding.name} needs {', '.join(sorted(missing))}, which is not configured"
                )
        self.consumers = [
            Consumer(
                binding.name,
                binding.route,
                binding.source,
                binding.facts,
                binding.options,
                self.dependencies,
                observe=observe,
                rng=rng,
                about=about or {},
            )
            for binding in bindings
        ]
        for breaker in self.dependencies.breakers.values():
            breaker.on_close = self._nudge
        self._lease_keeper = LeaseKeeper(self.consumers, observe)
        self._stopping = asyncio.Event()
        self.draining = False
        self._started_at: float | None = None

    def stop(self) -> None:
        """Begin the drain.  Safe to call again."""
        # At once, not when the drain gets its turn: no receive may start after this.
        for consumer in self.consumers:
            consumer.close()
        self._stopping.set()

    def set_paused(self, *, paused: bool) -> None:
        """Stop or resume the intake of all queues; what is in hand is worked."""
        for consumer in self.consumers:
            consumer.set_paused(paused=paused)
        self._observe(Paused(paused))

    @property
    def paused(self) -> bool:
        """Whether the intake is stopped by an operator."""
        return any(consumer.paused for consumer in self.consumers)

    def state(self) -> EngineState:
        """What the engine looks like now."""
        return EngineState(
            started_at=self._started_at,
            draining=self.draining,
            paused=self.paused,
            queues=tuple(consumer.state() for consumer in self.consumers),
            breakers=self.dependencies.state(),
            places_down=self.dependencies.places_down(),
        )

    async def run(self, side: Mapping[str, Coroutine[Any, Any, None]] | None = None) -> Drained:
        """Consume until `stop`, then drain.  `side` are tasks by name that have to live as long.

        Raises:
            Stuck: work that was cancelled did not stop; the process must end at once.
            Exception: whatever ended one of the engine's own tasks: a bug, and the process must end.
        """
        fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Raised below; where this call is itself cancelled, all tasks are, and nobody is left to hear it.
        fault.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        for consumer in self.consumers:
            consumer.fault = fault
        async with AsyncExitStack() as stack:
            supervise = _Supervisor(fault, stack)
            supervise.task(self._lease_keeper.run(), "lease keeper")
            for breaker in self.dependencies.breakers.values():
                supervise.task(breaker.run(), f"breaker of {breaker.name}")
            for name, work in (side or {}).items():
                supervise.task(work, name)
            pollers = [
                supervise.task(consumer.poller.run(), f"poller of {consumer.name}", until=self._stopping)
                for consumer in self.consumers
            ]
            self._started_at = asyncio.get_running_loop().time()
            await self._or_fault(self._stopping.wait(), fault)
            return await self._or_fault(self._drain(pollers), fault)

    async def _drain(self, pollers: Sequence[asyncio.Task[None]]) -> Drained:
        loop = asyncio.get_running_loop()
        since = loop.time()
        self.draining = True
        self._report("started", since)
        if pollers:
            await asyncio.wait(pollers)
        self._report("polls_joined", since)
        # Not before the polls have been joined: they would receive again what is given back.
        for consumer in self.consumers:
            consumer.release_waiting()
        left = max(since + self._drain_seconds - loop.time(), 0.0)
        unfinished = 0
        if not await self._within(left, Consumer.gone):
            unfinished = sum(len(run.messages) for consumer in self.consumers for run in consumer.runs())
            self._report("deadline", since)
            for consumer in self.consumers:
                consumer.cancel_runs()
            await self._within(CANCELLED_SECONDS, Consumer.idle)
            await self._within(FLUSH_SECONDS, Consumer.gone)
        # Work that was cut short is unfinished, and so is what could not be deleted or given back.
        unfinished = max(unfinished, sum(consumer.permits.held for consumer in self.consumers))
        for consumer in self.consumers:
            consumer.abandon()
        self._report("finished", since)
        return Drained(unfinished, loop.time() - since)

    async def _within(self, seconds: float, wait: Callable[[Consumer], Awaitable[None]]) -> bool:
        try:
            async with asyncio.timeout(seconds):
                for consumer in self.consumers:
                    await wait(consumer)
        except TimeoutError:
            return False
        return True

    def _nudge(self) -> None:
        for consumer in self.consumers:
            consumer.nudge()

    def _report(self, phase: str, since: float) -> None:
        held = sum(consumer.permits.held for consumer in self.consumers)
        running = sum(1 for consumer in self.consumers for _ in consumer.runs())
        self._observe(Drain(phase, held, running, asyncio.get_running_loop().time() - since))

    async def _or_fault(self, work: Awaitable[T], fault: asyncio.Future[None]) -> T:
        task = asyncio.ensure_future(work)
        either: set[asyncio.Future[Any]] = {task, fault}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
        if fault.done():
            fault.result()
        return await task


class _Supervisor:
    """Long-lived tasks whose end is the engine's end: no half-alive daemon."""

    def __init__(self, fault: asyncio.Future[None], stack: AsyncExitStack) -> None:
        self._fault = fault
        self._stack = stack
        self._stopped: set[asyncio.Task[None]] = set()

    def task(self, work: Any, name: str, *, until: asyncio.Event | None = None) -> asyncio.Task[None]:
        """Start a task; it is cancelled with the stack.  Once `until` is set it may end by itself."""
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        task.add_done_callback(lambda ended: self._ended(ended, until))
        self._stack.push_async_callback(self._stop, task)
        return task

    async def _stop(self, task: asyncio.Task[None]) -> None:
        self._stopped.add(task)
        task.cancel()
        # With a limit: a side task may wait for a thread that does not end.
        await asyncio.wait({task}, timeout=CANCELLED_SECONDS)

    def _ended(self, task: asyncio.Task[None], until: asyncio.Event | None) -> None:
        if task in self._stopped or self._fault.done():
            return
        if task.cancelled():
            self._fault.set_exception(RuntimeError(f"the {task.get_name()} was cancelled, and not by us"))
        elif error := task.exception():
            self._fault.set_exception(error)
        elif until is None or not until.is_set():
            self._fault.set_exception(RuntimeError(f"the {task.get_name()} ended by itself"))
