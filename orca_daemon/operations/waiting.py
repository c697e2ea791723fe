"""What SQS says now of the queues of the settings: messages that wait, and dead letters."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.clients import Clients, connect
from orca_daemon.aws.errors import reason_of
from orca_daemon.aws.sqs import SqsSource
from orca_daemon.engine.errors import SourceError
from orca_daemon.settings import Settings, SettingsError

_PATIENCE = 3.0
"""Seconds that a status waits for SQS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """One queue.  Numbers are approximate, as SQS's are."""

    waiting: int | None = None
    """Messages that wait, with those that are delayed; None if SQS does not tell."""
    dead: int | None = None
    """Dead letters; None also if the queue has no dead-letter queue."""
    problem: str | None = None
    """Why SQS does not tell."""


@dataclass(slots=True)
class Waiting:
    """Counts the queues of the settings, as often as it is asked."""

    settings: Settings
    clients: Clients | None
    problem: str = ""
    """Why there are no clients."""
    _dead_letter_queues: dict[str, str | None] = field(default_factory=dict)

    async def counts(self) -> Mapping[str, QueueDepth]:
        """Each queue with a URL, by name; never fails."""
        urls = {name: queue.url or "" for name, queue in self.settings.bound.items()}
        counts = await asyncio.gather(*(self._count(name, url) for name, url in urls.items()))
        return dict(zip(urls, counts, strict=True))

    async def _count(self, name: str, url: str) -> QueueDepth:
        if self.clients is None:
            return QueueDepth(problem=self.problem)
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._ask(self.clients, name, url)
        except TimeoutError:
            return QueueDepth(problem=f"SQS did not answer within {_PATIENCE:.0f} s")
        except SourceError as error:
            return QueueDepth(problem=f"{error.kind} ({error})")

    async def _ask(self, clients: Clients, name: str, url: str) -> QueueDepth:
        source = SqsSource(clients.poll, clients.control, url)
        if name not in self._dead_letter_queues:
            self._dead_letter_queues[name] = (await source.describe()).dead_letter
        depth, dead = await source.depth(), None
        if letters := self._dead_letter_queues[name]:
            dead = (await SqsSource(clients.poll, clients.control, letters).depth()).messages
        return QueueDepth(waiting=depth.visible + depth.delayed, dead=dead)


@asynccontextmanager
async def asked(settings: Settings) -> AsyncIterator[Waiting]:
    """What counts the queues; without AWS, or without its credentials, every count says why it is unknown."""
    async with AsyncExitStack() as stack:
        clients, problem = None, ""
        try:
            clients = await stack.enter_async_context(connect(settings))
        except SettingsError as error:
            problem = str(error)
        except CALL_ERRORS as error:
            problem = reason_of(error)
        yield Waiting(settings, clients, problem)
