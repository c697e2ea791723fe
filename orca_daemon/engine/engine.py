"""All queues of the process: start, run, drain, stop."""

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orca_daemon.engine.charges import Rules
from orca_daemon.engine.checked_source import CheckedSource
from orca_daemon.engine.consumer import Consumer
from orca_daemon.engine.dependencies import Dependencies
from orca_daemon.engine.errors import RouteError
from orca_daemon.engine.events import Drain, DrainPhase, Observer, Paused
from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.lease_keeper import LeaseKeeper
from orca_daemon.engine.queue_context import ConsumerOptions, QueueContext
from orca_daemon.engine.route import Route
from orca_daemon.engine.source import QueueFacts, Source
from orca_daemon.engine.state import EngineState
from orca_daemon.engine.tasks import CANCELLED_SECONDS, FirstFailure, Tasks

FLUSH_SECONDS = 5.0
"""How long the last deletes and releases may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A queue, and the route of its messages."""

    name: str
    route: Route[Any]
    source: Source
    facts: QueueFacts
    options: ConsumerOptions = field(default_factory=ConsumerOptions)


@dataclass(frozen=True, slots=True)
class Drained:
    """How the engine ended: messages that were not finished when the time was up, and the seconds it took."""

    unfinished: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What holds for all queues alike."""

    rules: Rules = field(default_factory=Rules)
    about: Mapping[str, object] = field(default_factory=dict)
    """Facts of the process for the evidence of dead letters: its version."""
    rng: random.Random = field(default_factory=random.Random)


class Engine:
    """Consumes the queues until `stop`, then drains.  An engine runs once.

    Everything in it happens on one event loop: no part needs a lock.
    """

    def __init__(
        self,
        bindings: Sequence[Binding],
        *,
        probes: Mapping[str, Callable[[], Awaitable[None]]],
        drain_seconds: float,
        observe: Observer,
        options: EngineOptions | None = None,
    ) -> None:
        options = options or EngineOptions()
        self._observe = observe
        self._drain_seconds = drain_seconds
        self._failure = FirstFailure()
        self._tasks = Tasks(self._failure)
        by_place = {name for binding in bindings for name in binding.route.by_place}
        self.dependencies = Dependencies(
            probes, by_place, rules=options.rules, observe=observe, rng=options.rng
        )
        for binding in bindings:
            if missing := binding.route.needs - probes.keys():
                raise RouteError(
                    f"{binding.name} needs {', '.join(sorted(missing))}, which is not configured"
                )
        self.consumers = [Consumer(self._context(binding, options)) for binding in bindings]
        self._lease_keeper = LeaseKeeper(self.consumers, observe, self._failure)
        self._stopping = asyncio.Event()
        self.draining = False
        self.paused = False
        """Whether an operator has stopped the intake of all queues at once."""
        self._paused_queues: set[str] = set()
        self._started_at: float | None = None

    def _context(self, binding: Binding, options: EngineOptions) -> QueueContext:
        return QueueContext(
            name=binding.name,
            route=binding.route,
            source=CheckedSource(binding.source),
            facts=binding.facts,
            options=binding.options,
            dependencies=self.dependencies,
            observe=self._observe,
            rng=options.rng,
            about=options.about,
            failure=self._failure,
        )

    def stop(self) -> None:
        """Begin the drain.  Safe to call again."""
        # Close now rather than when the drain gets its turn, because no receive may start after this call.
        for consumer in self.consumers:
            consumer.close()
        self._stopping.set()

    def set_paused(self, *, paused: bool, queue: str | None = None) -> None:
        """Stop or resume the intake of all queues at once, or of one; each holds by itself.

        Messages in flight are worked all the same.
        """
        if queue is None:
            self.paused = paused
        elif paused:
            self._paused_queues.add(queue)
        else:
            self._paused_queues.discard(queue)
        for consumer in self.consumers:
            consumer.set_paused(paused=self.paused or consumer.name in self._paused_queues)
        self._observe(Paused(paused, queue or ""))

    def oldest_in_flight(self, most: int) -> list[tuple[Consumer, InFlightMessage]]:
        """The messages of all queues that are longest in flight, each with its consumer, oldest first."""
        held = ((consumer, message) for consumer in self.consumers for message in consumer.in_flight())
        return heapq.nsmallest(most, held, key=lambda pair: pair[1].received)

    def state(self) -> EngineState:
        """The engine's state now."""
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
            StuckError: work that was cancelled did not stop; the process must end at once.
            Exception: the failure that ended one of the engine's own tasks: a bug, and the process must end.
        """
        try:
            self._tasks.supervise(self._lease_keeper.run(), "lease keeper")
            for breaker in self.dependencies.breakers.values():
                self._tasks.supervise(breaker.run(), f"breaker of {breaker.name}")
            for name, work in (side or {}).items():
                self._tasks.supervise(work, name)
            pollers = [
                self._tasks.supervise(
                    consumer.poller.run(), f"poller of {consumer.name}", until=self._stopping
                )
                for consumer in self.consumers
            ]
            self._started_at = asyncio.get_running_loop().time()
            await self._failure.or_result(self._stopping.wait())
            return await self._failure.or_result(self._drain(pollers))
        finally:
            await self._tasks.stop()

    async def _drain(self, pollers: Sequence[asyncio.Task[None]]) -> Drained:
        loop = asyncio.get_running_loop()
        since = loop.time()
        self.draining = True
        self._report(DrainPhase.STARTED, since)
        if pollers:
            await asyncio.wait(pollers)
        self._report(DrainPhase.POLLS_JOINED, since)
        # Only after the polls have ended, because they would receive again what is given back.
        for consumer in self.consumers:
            consumer.release_waiting()
        left = max(since + self._drain_seconds - loop.time(), 0.0)
        unfinished = 0
        if not await self._within(left, Consumer.gone):
            unfinished = sum(len(run.messages) for consumer in self.consumers for run in consumer.runs())
            self._report(DrainPhase.DEADLINE, since)
            for consumer in self.consumers:
                consumer.cancel_runs()
            await self._within(CANCELLED_SECONDS, Consumer.idle)
            await self._within(FLUSH_SECONDS, Consumer.gone)
        # Messages whose work was cut short are unfinished, and so are those that could not be settled.
        unfinished = max(unfinished, sum(consumer.permits.held for consumer in self.consumers))
        for consumer in self.consumers:
            consumer.abandon()
        self._report(DrainPhase.FINISHED, since)
        return Drained(unfinished, loop.time() - since)

    async def _within(self, seconds: float, wait: Callable[[Consumer], Awaitable[None]]) -> bool:
        try:
            async with asyncio.timeout(seconds):
                for consumer in self.consumers:
                    await wait(consumer)
        except TimeoutError:
            return False
        return True

    def _report(self, phase: DrainPhase, since: float) -> None:
        held = sum(consumer.permits.held for consumer in self.consumers)
        running = sum(1 for consumer in self.consumers for _ in consumer.runs())
        self._observe(Drain(phase, held, running, asyncio.get_running_loop().time() - since))
