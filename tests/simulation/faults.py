"""The queue behind a bad network: answers are lost, calls refused, batches partly done; by a seed."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from orca_daemon.engine.errors import SourceError, SourceErrorKind
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import EntryOutcome, Source
from tests.simulation.history import History, Rates
from tests.simulation.record import Record

T = TypeVar("T")
UNKEPT = 200.0
"""Seconds for which the queue refuses to extend the leases of some messages."""


class FaultySource:
    """A `Source` over another.  `dead` once its daemon was killed: whatever it still does reaches nobody."""

    def __init__(
        self,
        inside: Source,
        history: History,
        rates: Rates,
        rng: random.Random,
        record: Record,
        clock: Callable[[], float],
    ) -> None:
        self._inside = inside
        self._history = history
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
        silent = self._rng.choice(("before", "after")) if self._happens(self.rates.silent) else ""
        if silent == "before":
            await self._nothing()
        if self._within(self._history.at_limit):
            await self._wire()
            self._note("received", (), receipts=())
            return []
        try:
            got = await self._through(
                lambda: self._inside.receive(limit, wait=wait, lease=lease, attempt_id=attempt_id)
            )
        except asyncio.CancelledError:
            self._note("abandoned", ())
            raise
        except SourceError:
            self._note("unreceived", ())
            raise
        if silent:
            await self._nothing()
        names, receipts = tuple(one.body for one in got), tuple(one.receipt for one in got)
        if self._happens(self.rates.lying):
            self._note("unreceived", names, receipts=receipts)
            lie: Sequence[Envelope] = self._lie([*got, {}], None, "<html>")
            return lie
        self._note("received", names, receipts=receipts)
        return [*got, *got] if self._happens(self.rates.lying) else got

    async def delete(self, envelopes: Sequence[Envelope]) -> Sequence[EntryOutcome]:
        """Delete some of them."""
        receipts = tuple(one.receipt for one in envelopes)
        self._note("delete", tuple(one.body for one in envelopes), receipts=receipts)
        if self._within(self._history.no_deletes):
            await self._wire()
            raise SourceError(SourceErrorKind.UNAVAILABLE, "no deletes now")
        return await self._some("delete", envelopes, self._inside.delete)

    async def hide(self, envelopes: Sequence[Envelope], seconds: float) -> Sequence[EntryOutcome]:
        """Hide some of them."""
        names, receipts = tuple(one.body for one in envelopes), tuple(one.receipt for one in envelopes)
        what = "hide" if seconds else "release"
        self._note(what, names, seconds=seconds, receipts=receipts)
        if seconds and self._within(self._history.no_extensions):
            await self._wire()
            raise SourceError(SourceErrorKind.UNAVAILABLE, "no extensions now")
        return await self._some(what, envelopes, lambda some: self._inside.hide(some, seconds))

    async def send_dead_letter(self, envelope: Envelope, evidence: Mapping[str, object]) -> str:
        """Send to a dead-letter queue that may be out of reach, or take less."""
        await self._wire()
        if self._happens(self.rates.dead_letter_down):
            raise SourceError(SourceErrorKind.UNAVAILABLE, "the dead-letter queue is out of reach")
        if any(one.large and one.id == envelope.body for one in self._history.sendings):
            self._note("too_large", (envelope.body,), receipts=(envelope.receipt,))
            raise SourceError(SourceErrorKind.TOO_LARGE, "the dead-letter queue takes less")
        sent = await self._inside.send_dead_letter(envelope, evidence)
        self._note("dead_letter_sent", (envelope.body,), reason=evidence.get("reason"))
        await self._wire()
        if self._happens(self.rates.lost_answer):
            raise SourceError(SourceErrorKind.UNAVAILABLE, "the answer was lost")
        return sent

    async def _some(
        self,
        what: str,
        envelopes: Sequence[Envelope],
        call: Callable[[Sequence[Envelope]], Awaitable[Sequence[EntryOutcome]]],
    ) -> Sequence[EntryOutcome]:
        strict = what == "hide" and self._clock() < UNKEPT
        unkept = {one.id for one in self._history.sendings if one.unkept and strict}
        reached = [
            self._rng.random() >= self.rates.partial and envelope.body not in unkept for envelope in envelopes
        ]

        async def act() -> Sequence[EntryOutcome]:
            part = [one for one, ok in zip(envelopes, reached, strict=True) if ok]
            ends = iter(await call(part) if part else ())
            return [next(ends) if ok else EntryOutcome.FAILED for ok in reached]

        names, receipts = tuple(one.body for one in envelopes), tuple(one.receipt for one in envelopes)
        try:
            answer = await self._through(act)
        except SourceError:
            # It may have had its effect: only the daemon does not know.
            self._note("unheard", names, receipts=receipts, of=what)
            raise
        if self._happens(self.rates.lying):
            self._note("unheard", names, receipts=receipts, of=what)
            lie: Sequence[EntryOutcome] = self._lie(
                answer[1:], [*answer, *answer], [None] * len(answer), {"Successful": []}
            )
            return lie
        return answer

    def _lie(self, *answers: Any) -> Any:
        """One of these, or an error that no source raises."""
        answer = self._rng.choice((*answers, KeyError("MessageId")))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _through(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._wire()
        if self._happens(self.rates.throttled):
            raise SourceError(SourceErrorKind.THROTTLED, "slow down")
        if self._happens(self.rates.refused):
            raise SourceError(SourceErrorKind.UNAVAILABLE, "connection refused")
        answer = await call()
        await self._wire()
        if self._happens(self.rates.lost_answer):
            raise SourceError(SourceErrorKind.UNAVAILABLE, "the answer was lost")
        return answer

    async def _wire(self) -> None:
        """The way there, or back: always a moment, sometimes a long one; no way at all for the dead."""
        if self.dead:
            raise asyncio.CancelledError
        slow = self._rng.random() < self.rates.slow
        await asyncio.sleep(self._rng.uniform(0.5, 4.0) if slow else self._rng.uniform(0.001, 0.02))
        if self.dead:
            raise asyncio.CancelledError

    async def _nothing(self) -> None:
        """Never answer."""
        self._note("silent", ())
        await asyncio.Event().wait()

    def _happens(self, rate: float) -> bool:
        # Nothing is drawn for what cannot happen, so that histories stay as they were.
        return rate > 0 and self._rng.random() < rate

    def _within(self, windows: Sequence[tuple[float, float]]) -> bool:
        return any(start <= self._clock() < end for start, end in windows)

    def _note(self, what: str, ids: tuple[str, ...], **facts: object) -> None:
        if not self.dead:
            self._record.add(self._clock(), what, ids, **facts)
