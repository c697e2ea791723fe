"""A source whose calls fail as a script says: for simulations, between the engine and a queue in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol, TypeVar

from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import Outcome, Source

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one call; nothing, unless said."""

    delay: float = 0.0
    """Seconds before the call reaches the queue."""
    late: float = 0.0
    """Seconds before the answer reaches the caller."""
    refused: str = ""
    """The call has no effect; the caller gets `SourceError` of this kind."""
    lost: bool = False
    """The call has its effect; the caller gets `SourceError("unavailable")`."""
    failed: frozenset[int] = frozenset()
    """Positions of a batch that have no effect and come back as `FAILED`."""


NONE = Fault()


class Script(Protocol):
    """Says what goes wrong.  `operation` is `receive`, `delete`, `hide` or `bury`; `size` the batch's."""

    def __call__(self, operation: str, size: int, /) -> Fault: ...  # noqa: D102  the class says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """A script by the dice: how likely each fault is, from 0 to 1."""

    rng: Random
    lost: float = 0.0
    throttled: float = 0.0
    unavailable: float = 0.0
    partial: float = 0.0
    slow: float = 0.0
    slowest: float = 5.0
    """Seconds, of each way."""

    def __call__(self, operation: str, size: int, /) -> Fault:
        """Draw a fault.  Always the same number of draws, so that a history can be shrunk."""
        dice = [self.rng.random() for _ in range(6)]
        failed = frozenset(index for index in range(size) if self.rng.random() < 1 / 2)
        return Fault(
            delay=dice[4] * self.slowest if dice[0] < self.slow else 0.0,
            late=dice[5] * self.slowest if dice[0] < self.slow else 0.0,
            refused=self._refused(dice[1]),
            lost=dice[2] < self.lost,
            failed=failed if dice[3] < self.partial and operation in {"delete", "hide"} else frozenset(),
        )

    def _refused(self, die: float) -> str:
        if die < self.throttled:
            return "throttled"
        return "unavailable" if die < self.throttled + self.unavailable else ""


class FaultySource:
    """`Source` over another one, with faults; `cut` is what the death of a process is to its connections."""

    def __init__(self, source: Source, script: Script) -> None:
        self._source = source
        self.script = script
        self._dead: asyncio.Event | None = None

    def cut(self) -> None:
        """From now on no call reaches the queue, and none that is under way is answered."""
        self._dead = asyncio.Event()

    async def receive(  # noqa: D102  see Source
        self, limit: int, *, wait: float, lease: float, attempt_id: str | None = None
    ) -> Sequence[Envelope]:
        return await self._call(
            self.script("receive", limit),
            lambda: self._source.receive(limit, wait=wait, lease=lease, attempt_id=attempt_id),
        )

    async def delete(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome]:  # noqa: D102  see Source
        return await self._batch("delete", envelopes, self._source.delete)

    async def hide(self, envelopes: Sequence[Envelope], seconds: float) -> Sequence[Outcome]:  # noqa: D102  see Source
        return await self._batch("hide", envelopes, lambda entries: self._source.hide(entries, seconds))

    async def bury(self, envelope: Envelope, evidence: Mapping[str, object]) -> None:  # noqa: D102  see Source
        await self._call(self.script("bury", 1), lambda: self._source.bury(envelope, evidence))

    async def _batch(
        self,
        operation: str,
        envelopes: Sequence[Envelope],
        call: Callable[[Sequence[Envelope]], Awaitable[Sequence[Outcome]]],
    ) -> Sequence[Outcome]:
        fault = self.script(operation, len(envelopes))
        passed = [index for index in range(len(envelopes)) if index not in fault.failed]
        outcomes = [Outcome.FAILED] * len(envelopes)
        if passed or fault.refused:
            ends = await self._call(fault, lambda: call([envelopes[index] for index in passed]))
            for index, end in zip(passed, ends, strict=True):
                outcomes[index] = end
        return outcomes

    async def _call(self, fault: Fault, call: Callable[[], Awaitable[T]]) -> T:
        await self._pause(fault.delay)
        if fault.refused:
            raise SourceError(fault.refused, "a fault of the script: refused")
        result = await call()
        await self._pause(fault.late)
        if fault.lost:
            raise SourceError("unavailable", "a fault of the script: the answer was lost")
        return result

    async def _pause(self, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)
        if self._dead is not None:
            await self._dead.wait()  # for ever: nobody reads the answer of a dead process
