"""What SQS says of the queues and their dead letters, asked once in a few seconds for all visitors."""

import asyncio
import time
from dataclasses import dataclass

from orca_daemon.aws.sqs import SqsSource
from orca_daemon.console.context import ConsoleContext
from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.source import QueueFacts

_FRESH = 3.0
"""Seconds for which counts are shown again."""
_DESCRIBED = 300.0
"""Seconds for which attributes of a queue are used again."""
_PATIENCE = 2.0
"""Seconds that a page waits for SQS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """A queue of the settings.  All numbers are approximate, as SQS's are; None if SQS did not tell."""

    name: str
    route: str
    waiting: int | None = None
    in_flight: int | None = None
    delayed: int = 0
    dead: int | None = None
    """Dead letters; None also if the queue has no dead-letter queue."""
    facts: QueueFacts | None = None
    problem: str = ""
    """Why SQS did not tell."""


class Queues:
    """The queues of the settings, for pages."""

    def __init__(self) -> None:
        self._facts: dict[str, tuple[float, QueueFacts]] = {}
        self._counts: tuple[float, list[QueueCounts]] | None = None
        self._asking = asyncio.Lock()

    async def counts(self, context: ConsoleContext) -> list[QueueCounts]:
        """Each queue; never fails, and never takes longer than a page may wait."""
        async with self._asking:
            if self._counts is None or time.monotonic() - self._counts[0] > _FRESH:
                bound = context.settings.bound
                counted = await asyncio.gather(
                    *(
                        self._counted(context, name, queue.route or name, queue.url or "")
                        for name, queue in bound.items()
                    )
                )
                self._counts = (time.monotonic(), list(counted))
            return self._counts[1]

    async def _counted(self, context: ConsoleContext, name: str, route: str, url: str) -> QueueCounts:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._ask(context, name, route, url)
        except SourceError as error:
            return QueueCounts(name=name, route=route, problem=str(error))
        except TimeoutError:
            return QueueCounts(name=name, route=route, problem=f"SQS did not answer within {_PATIENCE:.0f} s")

    async def _ask(self, context: ConsoleContext, name: str, route: str, url: str) -> QueueCounts:
        source = SqsSource(context.clients.poll, context.clients.control, url)
        facts = await self._described(source, url)
        if facts.dead_letter is None:
            depth, dead = await source.depth(), None
        else:
            letters = SqsSource(context.clients.poll, context.clients.control, facts.dead_letter)
            depth, dead = await asyncio.gather(source.depth(), letters.depth())
        return QueueCounts(
            name=name,
            route=route,
            waiting=depth.visible,
            in_flight=depth.inflight,
            delayed=depth.delayed,
            dead=dead.visible + dead.inflight + dead.delayed if dead else None,
            facts=facts,
        )

    async def _described(self, source: SqsSource, url: str) -> QueueFacts:
        known = self._facts.get(url)
        if known is None or time.monotonic() - known[0] > _DESCRIBED:
            known = (time.monotonic(), await source.describe())
            self._facts[url] = known
        return known[1]
