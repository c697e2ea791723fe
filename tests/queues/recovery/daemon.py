"""The daemon's own engine and routes on real queues, in the process of the test."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from orca_daemon.app import bindings
from orca_daemon.app.checkup.settings import handlers
from orca_daemon.aws.clients import connect
from orca_daemon.db.database import Database
from orca_daemon.engine.engine import Engine
from orca_daemon.engine.events import BreakerChanged, Event, Settled
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings

SECONDS = 180
"""Time limit of a wait; a test takes a few seconds."""


class Daemon:
    """Runs between entry and exit; exit drains."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._changed = asyncio.Event()
        self.events: list[Event] = []
        self.metrics = Metrics(handlers(settings))

    async def __aenter__(self) -> Self:
        settings = self._settings
        clients = await self._stack.enter_async_context(connect(settings))
        database = Database(settings.database) if settings.database.configured else None
        if database:
            self._stack.callback(database.close)
        services = Services(settings=settings, clients=clients, database=database, metrics=self.metrics)
        bound = await bindings.bind(services)
        self._engine = Engine(
            bound,
            probes=bindings.probes(services, bound),
            drain_seconds=settings.engine.drain_seconds,
            observe=self._observe,
        )
        self._running = asyncio.create_task(self._engine.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.stop()
        await self._running
        await self._stack.aclose()

    def _observe(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    @property
    def settled(self) -> list[Settled]:
        return [event for event in self.events if isinstance(event, Settled)]

    async def settle(self, count: int) -> list[Settled]:
        """Wait until so many messages are settled."""
        async with asyncio.timeout(SECONDS):
            while len(self.settled) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.settled

    async def wait_for(self, kind: type[Event]) -> None:
        """Wait for an event of this kind."""
        async with asyncio.timeout(SECONDS):
            while not any(isinstance(event, kind) for event in self.events):
                self._changed.clear()
                await self._changed.wait()

    @property
    def breakers(self) -> list[bool]:
        return [event.open for event in self.events if isinstance(event, BreakerChanged)]
