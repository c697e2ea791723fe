"""The runs of one queue: started from its lanes, each one attempt, each followed by a decision.

Between attempts the messages of a run are back at the head of their lanes, so nothing here waits.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orca_daemon.engine.attempt import Stopped, attempt
from orca_daemon.engine.breaker import Breaker
from orca_daemon.engine.burial import Burial
from orca_daemon.engine.departure import Hands
from orca_daemon.engine.errors import DependencyDown, NotYet, Reject
from orca_daemon.engine.events import Observer
from orca_daemon.engine.held import Company, Held, Phase
from orca_daemon.engine.lanes import Lane, Lanes, Run
from orca_daemon.engine.policy import BURYING, WAITING
from orca_daemon.engine.room import Room
from orca_daemon.engine.route import Route
from orca_daemon.engine.source import QueueFacts
from orca_daemon.engine.verdict import Failure, Next, after, after_suspicion, reason

PARK_SECONDS = 900.0
"""How long a condemned message of a queue without a dead-letter queue stays hidden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a queue's work may take: runs at one time, attempts of one message."""

    concurrency: int
    max_attempts: int


class Work:
    """Runs at work, until `close`."""

    def __init__(
        self,
        queue: str,
        route: Route[Any],
        facts: QueueFacts,
        limits: Limits,
        lanes: Lanes,
        room: Room,
        hands: Hands,
        burial: Burial,
        breakers: Mapping[str, Breaker],
        *,
        observe: Observer,
        rng: random.Random,
    ) -> None:
        self._queue, self._route, self._facts, self._limits = queue, route, facts, limits
        self._lanes, self._room, self._hands, self._burial = lanes, room, hands, burial
        self._breakers = breakers
        self._observe = observe
        self._rng = rng
        self._runs: dict[Run, asyncio.Task[None]] = {}
        self._closed = self._emptying = False
        self.on_fault: Callable[[BaseException], None] = lambda _: None

    def __iter__(self) -> Iterator[Run]:
        return iter(tuple(self._runs))

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """Runs under way."""
        return set(self._runs.values())

    def close(self) -> None:
        """Start no run any more."""
        self._closed = True

    def empty(self) -> None:
        """Give back what waits, now and whenever a run ends.  Only after the last poll: it would take it."""
        self._emptying = True
        self._hands.release([held for lane in self._lanes for held in self._lanes.cut(lane)])

    @property
    def blocked(self) -> bool:
        """Whether something that the work needs is down."""
        return any(self._breakers[name].open for name in self._route.needs)

    @property
    def since(self) -> float | None:
        """When the oldest attempt under way began, or what followed it; settlements do not count."""
        working = [run for run in self._runs if all(held.phase is Phase.RUNNING for held in run.messages)]
        return min((run.expires - self._route.time_limit for run in working), default=None)

    def pump(self) -> None:
        """Start runs while there are slots, lanes that are ready, and nothing that forbids it."""
        while len(self._runs) < self._limits.concurrency and not self._closed and not self.blocked:
            run = self._lanes.next_run()
            if run is None:
                return
            self._start(run)

    def _start(self, run: Run) -> None:
        run.started = asyncio.get_running_loop().time()
        run.expires = run.started + self._route.time_limit
        task = asyncio.create_task(self._work(run))
        self._runs[run] = task
        task.add_done_callback(lambda ended: self._worked(run, ended))

    def _worked(self, run: Run, task: asyncio.Task[None]) -> None:
        del self._runs[run]
        if task.cancelled():
            if run.stop is None:
                return  # the whole engine is being torn down
            self._return(run)
        elif error := task.exception():
            self.on_fault(error)
            return
        for lane, _ in run.parts:
            self._lanes.done(lane)
            if self._emptying:
                self._hands.release(self._lanes.cut(lane))
        self._room.changed()
        self.pump()

    # One run.

    async def _work(self, run: Run) -> None:
        if run.messages[0].condemned is not None:
            await self._bury(run)
            return
        match await attempt(self._queue, self._route, run, self._observe):
            case None:
                await self._settle(run)
            case Stopped():
                self._return(run)
            case DependencyDown() as error if error.dependency in self._breakers:
                await self._down(run, error)
            case NotYet() if len(run.messages) == 1:
                self._wait(run)
            case error:
                await self._failed(run, error)

    async def _settle(self, run: Run) -> None:
        # On a FIFO queue the next run of a group starts only when this one's delete is confirmed.
        if self._facts.fifo:
            await self._hands.delete(run)
        else:
            self._hands.delete_later(run)

    async def _down(self, run: Run, error: DependencyDown) -> None:
        if await self._breakers[error.dependency].report(reason(error)):
            # A breaker that the route does not name holds nothing back: then the run itself has to wait.
            self._return(run) if self.blocked else self._wait(run)
            return
        messages = run.messages
        for held in messages:
            held.suspicions += 1
        worst = max(held.suspicions for held in messages)
        decision = after_suspicion(len(messages), worst, self._limits.max_attempts)
        await self._proceed(run, error, decision, worst)

    async def _failed(self, run: Run, error: BaseException) -> None:
        messages = run.messages
        if len(messages) == 1:
            messages[0].attempts += 1
        attempts = messages[0].attempts
        decision = after(Failure(error, len(messages), attempts), self._limits.max_attempts)
        await self._proceed(run, error, decision, attempts)

    async def _proceed(self, run: Run, error: BaseException, decision: Next, failures: int) -> None:
        match decision:
            case Next.RETRY:
                self._return(run, park=self._route.backoff.delay(max(failures, 1), self._rng))
            case Next.SPLIT:
                narrower = Company.GROUP if len(run.parts) > 1 else Company.NONE
                for held in run.messages:
                    held.company, held.suspicions = narrower, 0
                self._return(run)
            case Next.BURY:
                held = run.messages[0]
                held.company = Company.NONE
                held.condemned, held.error = reason(error), type(error).__name__
                held.cause = "rejected" if isinstance(error, Reject) else "attempts"
                await self._bury(run)

    async def _bury(self, run: Run) -> None:
        """Dead-letter the one message of a run; where that does not work it stays, and is tried again."""
        [(lane, [held])] = run.parts
        if held.lost:
            self._return(run)
            return
        try:
            if self._facts.dead_letter is None:
                await self._burial.announce(held)
                self._hands.release([held, *self._lanes.cut(lane)], seconds=PARK_SECONDS)
            else:
                await self._hands.bury(lane, held)
        except Exception as error:  # noqa: BLE001  the message is kept, whatever went wrong
            if isinstance(error, DependencyDown) and error.dependency in self._breakers:
                await self._breakers[error.dependency].report(reason(error))
            self._burial.failed(held, error)
            self._return(run, park=BURYING.delay(held.unburied, self._rng))

    def _wait(self, run: Run) -> None:
        """Look again later; nobody is charged."""
        for held in run.messages:
            held.early += 1
        self._return(run, park=WAITING.delay(max(held.early for held in run.messages), self._rng))

    def _return(self, run: Run, *, park: float = 0.0) -> None:
        """Put a run's messages back at the head of their lanes, for `park` seconds at least."""
        for lane, part in run.parts:
            self._lanes.put_back(lane, part, park=park > 0)
            self._hands.drop_lost(lane)
            if lane.parked:
                asyncio.get_running_loop().call_later(park, self._unpark, lane)

    def _unpark(self, lane: Lane) -> None:
        self._lanes.unpark(lane)
        self._room.changed()
        self.pump()

    def of(self, held: Held) -> Run | None:
        """The run that a message is in."""
        return next((run for run in self._runs if held in run.messages), None)

    def cancel(self, run: Run, why: str) -> None:
        """Stop a run that is at work: `lost`, `expired` or `drained`."""
        # A settlement under way is not cancelled: it ends by itself, and cancelled it could lose a delete.
        if run.stop is None and all(held.phase is Phase.RUNNING for held in run.messages):
            run.stop = why
            run.stopped_at = asyncio.get_running_loop().time()
            self._runs[run].cancel()

    async def idle(self) -> None:
        """Wait until nothing is at work."""
        while self._runs:
            await asyncio.wait(self._runs.values())
