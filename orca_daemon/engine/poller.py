"""Receiving: one queue's long polls, with room reserved first and every error turned into a pause."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.events import Observer, Polled
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.permits import Permits
from orca_daemon.engine.source import Source

POLL_BACKOFF = Backoff(base=1.0, cap=30.0)
WATCHDOG = 10.0
"""Seconds past its wait after which a receive is given up: a half-open connection never answers."""
AT_ONCE = 1.0
"""Seconds: an empty answer that is quicker did not wait for a message, as the shortest long poll does."""
QUICKEST = Backoff(base=AT_ONCE, cap=5.0, jitter=0.0)
"""From one receive that came back empty at once to the next."""
REPLAYABLE = 290.0
"""Seconds for which SQS knows a receive attempt id (five minutes), less a margin."""


class PollGate(Protocol):
    """Says when a queue may be read."""

    async def passed(self) -> bool:
        """Wait until the queue may be read; False when it is not to be read any more."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the queue is not to be read any more."""
        ...


class ReceiveAttempt:
    """The receive attempt id of a FIFO poll: kept while an answer may have been lost, else a new one."""

    def __init__(self, rng: random.Random, *, fifo: bool) -> None:
        self._rng = rng
        self._fifo = fifo
        self._id = ""
        self._since = 0.0
        self.began = 0.0
        """When the latest receive of its loop was sent."""

    def id(self, now: float) -> str | None:
        """The id for a receive that starts now."""
        if not self._fifo:
            return None
        if not self._id or now - self._since > REPLAYABLE:
            self._id = str(UUID(int=self._rng.getrandbits(128), version=4))
            self._since = now
        return self._id

    def renew(self) -> None:
        """The answer came, or the id is no good: the next receive is a new one."""
        self._id = ""


class Poller:
    """Long-polls one queue.  A quiet queue has one poll under way, a busy one up to `most`."""

    def __init__(
        self,
        queue: str,
        source: Source,
        permits: Permits,
        gate: PollGate,
        accept: Callable[[Sequence[Envelope]], None],
        *,
        fifo: bool,
        wait: float,
        lease: float,
        most: int,
        observe: Observer,
        rng: random.Random,
    ) -> None:
        self._queue = queue
        self._source = source
        self._permits = permits
        self._gate = gate
        self._accept = accept
        self._fifo = fifo
        self._wait = wait
        self._lease = lease
        self._most = most
        self._observe = observe
        self._rng = rng
        self._extra: set[asyncio.Task[None]] = set()
        self._at_once = 0
        self.last_success: float | None = None
        self.moved: float | None = None
        """When a receive last began or ended."""
        self.on_fault: Callable[[BaseException], None] = lambda _: None

    async def run(self) -> None:
        """Poll until the gate closes for good, then wait for the polls under way; a supervised task."""
        await self._loop(extra=False)
        while self._extra:
            await asyncio.wait(self._extra)

    async def _loop(self, *, extra: bool) -> None:
        attempt = ReceiveAttempt(self._rng, fifo=self._fifo)
        while await self._gate.passed():
            if self._permits.full:
                await self._permits.wait()
                continue
            asked = self._permits.reserve()
            try:
                got = await self._answer(asked, attempt)
            finally:
                self._permits.give_back(asked)
            if got is None:
                return
            self._accept(got)
            if len(got) == asked and self._permits.free > 0 and len(self._extra) < self._most - 1:
                self._start_extra()
            elif extra and len(got) < asked:
                return
            elif pause := self._rest(attempt.began, empty=not got):
                await self._gate.pause(pause)

    async def _answer(self, asked: int, attempt: ReceiveAttempt) -> Sequence[Envelope] | None:
        """Ask until there is an answer; None where the gate closed for good before.

        The room stays reserved meanwhile, and an extra poller stays: what a lost answer had brought comes
        again, all of it, however little is asked for the second time.
        """
        failures = 0
        while await self._gate.passed():
            if (got := await self._poll(asked, attempt)) is not None:
                return got
            failures += 1
            await self._gate.pause(POLL_BACKOFF.delay(failures, self._rng))
        return None

    async def _poll(self, asked: int, attempt: ReceiveAttempt) -> Sequence[Envelope] | None:
        """One receive: what it brought, None where it failed."""
        now = asyncio.get_running_loop().time
        self.moved = attempt.began = now()
        try:
            # Only this watchdog ends a receive early.  Stopping does not: what an abandoned receive had
            # taken stays hidden for its whole lease, and its group with it.
            async with asyncio.timeout(self._wait + WATCHDOG):
                envelopes = await self._source.receive(
                    asked, wait=self._wait, lease=self._lease, attempt_id=attempt.id(now())
                )
        except TimeoutError:
            self._failed("error", "the receive did not answer in time")
            return None
        except SourceError as error:
            if error.kind in {"throttled", "attempt"}:
                attempt.renew()
            self._failed("throttled" if error.kind == "throttled" else "error", f"{error.kind}: {error}")
            return None
        except Exception as error:  # noqa: BLE001  nothing ends a poller: it pauses and tries again
            self._failed("error", type(error).__name__)
            return None
        finally:
            self.moved = now()
        attempt.renew()
        self.last_success = self.moved
        self._observe(Polled(self._queue, "messages" if envelopes else "empty", tuple(envelopes)))
        return envelopes

    def _rest(self, began: float, *, empty: bool) -> float:
        """Seconds to wait before the next receive: long polls pace themselves, and not every queue has them.

        A FIFO queue at its limit in flight answers at once, and so do servers that only resemble SQS.
        """
        took = asyncio.get_running_loop().time() - began
        self._at_once = self._at_once + 1 if empty and took < AT_ONCE else 0
        return max(QUICKEST.delay(self._at_once, self._rng) - took, 0.0) if self._at_once else 0.0

    def _failed(self, outcome: str, reason: str) -> None:
        self._observe(Polled(self._queue, outcome, reason=reason))

    def _start_extra(self) -> None:
        task = asyncio.create_task(self._loop(extra=True))
        self._extra.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._extra.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.on_fault(error)
