"""The queue behind a bad network: answers are lost, calls refused, batches partly done; by a seed."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import Outcome, Source
from tests.simulation.history import Rates
from tests.simulation.record import Record

T = TypeVar("T")


class FaultySource:
    """A `Source` over another.  `dead` once its daemon was killed: whatever it still does reaches nobody."""

    def __init__(
        self, inside: Source, rates: Rates, rng: random.Random, record: Record, clock: Callable[[], float]
    ) -> None:
        self._inside = inside
        self.rates = rates
        self._rng = rng
        self._record = record
        self._clock = clock
        self.died = asyncio.Event()

    @property
    def dead(self) -> bool:
        """Whether its daemon was killed, or has ended."""
        return self.died.is_set()

    def die(self) -> None:
        """From now on nothing reaches anybody."""
        self.died.set()

    async def receive(
        self, limit: int, *, wait: float, lease: float, attempt_id: str | None = None
    ) -> Sequence[Envelope]:
        """Receive, or fail before it, or after it has had its effect."""
        self._note("receive", (), limit=limit, attempt_id=attempt_id)
        try:
            got = await self._through(
                lambda: self._inside.receive(limit, wait=wait, lease=lease, attempt_id=attempt_id)
            )
        except asyncio.CancelledError:
            self._note("abandoned", ())
            raise
        self._note("received", tuple(one.body for one in got), receipts=tuple(one.receipt for one in got))
        return got

    async def delete(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome]:
        """Delete some of them."""
        receipts = tuple(one.receipt for one in envelopes)
        self._note("delete", tuple(one.body for one in envelopes), receipts=receipts)
        return await self._some(envelopes, self._inside.delete)

    async def hide(self, envelopes: Sequence[Envelope], seconds: float) -> Sequence[Outcome]:
        """Hide some of them."""
        names, receipts = tuple(one.body for one in envelopes), tuple(one.receipt for one in envelopes)
        self._note("hide" if seconds else "release", names, seconds=seconds, receipts=receipts)
        return await self._some(envelopes, lambda some: self._inside.hide(some, seconds))

    async def bury(self, envelope: Envelope, evidence: Mapping[str, object]) -> None:
        """Send to a dead-letter queue that may be out of reach."""
        await self._wire()
        if self._rng.random() < self.rates.dead_letter_down:
            raise SourceError("unavailable", "the dead-letter queue is out of reach")
        await self._inside.bury(envelope, evidence)
        self._note("buried", (envelope.body,), reason=evidence["reason"])
        await self._wire()
        if self._rng.random() < self.rates.lost_answer:
            raise SourceError("unavailable", "the answer was lost")

    async def _some(
        self,
        envelopes: Sequence[Envelope],
        call: Callable[[Sequence[Envelope]], Awaitable[Sequence[Outcome]]],
    ) -> Sequence[Outcome]:
        reached = [self._rng.random() >= self.rates.partial for _ in envelopes]

        async def act() -> Sequence[Outcome]:
            part = [one for one, ok in zip(envelopes, reached, strict=True) if ok]
            ends = iter(await call(part) if part else ())
            return [next(ends) if ok else Outcome.FAILED for ok in reached]

        return await self._through(act)

    async def _through(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._wire()
        if self._rng.random() < self.rates.throttled:
            raise SourceError("throttled", "slow down")
        if self._rng.random() < self.rates.refused:
            raise SourceError("unavailable", "connection refused")
        answer = await call()
        await self._wire()
        if self._rng.random() < self.rates.lost_answer:
            raise SourceError("unavailable", "the answer was lost")
        return answer

    async def _wire(self) -> None:
        """The way there, or back: always a moment, sometimes a long one; no way at all for the dead."""
        if self.dead:
            raise asyncio.CancelledError
        slow = self._rng.random() < self.rates.slow
        await asyncio.sleep(self._rng.uniform(0.5, 4.0) if slow else self._rng.uniform(0.001, 0.02))
        if self.dead:
            raise asyncio.CancelledError

    def _note(self, what: str, ids: tuple[str, ...], **facts: object) -> None:
        if not self.dead:
            self._record.add(self._clock(), what, ids, **facts)
