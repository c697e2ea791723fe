"""The runs of one queue: started from its lanes, each one attempt, each followed by a decision.

Between attempts the messages of a run are back at the head of their lanes, so nothing here waits.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from orca_daemon.engine.attempt import StoppedError, attempt
from orca_daemon.engine.dead_letter_sender import DeadLetterSender
from orca_daemon.engine.dead_lettering import DeadLettering
from orca_daemon.engine.dependencies import Dependencies
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.engine.events import Observer
from orca_daemon.engine.expiry import Expiry
from orca_daemon.engine.in_flight_message import END_MARGIN, STOPPING, InFlightMessage, Isolation, Phase
from orca_daemon.engine.in_flight_table import InFlightTable
from orca_daemon.engine.lanes import Lane, Lanes, Run
from orca_daemon.engine.permits import Permits
from orca_daemon.engine.route import Route
from orca_daemon.engine.source import QueueFacts
from orca_daemon.engine.verdict import Failure, Next, after, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """How much a queue's work may take: runs at one time, attempts of one message."""

    concurrency: int
    max_attempts: int


class Dispatcher:
    """Runs at work, until `close`."""

    def __init__(
        self,
        queue: str,
        route: Route[Any],
        facts: QueueFacts,
        limits: RunLimits,
        lanes: Lanes,
        permits: Permits,
        in_flight: InFlightTable,
        dead_letter_sender: DeadLetterSender,
        dependencies: Dependencies,
        *,
        observe: Observer,
        rng: random.Random,
    ) -> None:
        self._queue, self._route, self._facts, self._limits = queue, route, facts, limits
        self._lanes, self._permits, self._in_flight = lanes, permits, in_flight
        self._dependencies = dependencies
        self._down = dependencies.places.down
        self._expiry = Expiry(dependencies.rules, facts, lanes, in_flight)
        self._dead_lettering = DeadLettering(
            route, facts, lanes, in_flight, dead_letter_sender, dependencies, give_back=self._return, rng=rng
        )
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
        self._in_flight.release([held for lane in self._lanes for held in self._lanes.cut(lane)])

    @property
    def blocked(self) -> bool:
        """Whether something that the work needs is down."""
        return self._dependencies.blocked(self._route.needs)

    @property
    def since(self) -> float | None:
        """When the oldest attempt under way began, or what followed it; settlements do not count."""
        working = [run for run in self._runs if all(held.phase is Phase.RUNNING for held in run.messages)]
        return min((run.started for run in working), default=None)

    def pump(self) -> None:
        """Start runs while there are slots, lanes that are ready, and nothing that forbids it."""
        while len(self._runs) < self._limits.concurrency and not self._closed and not self.blocked:
            run = self._lanes.next_run()
            if run is None:
                return
            now = asyncio.get_running_loop().time()
            if self._expiry.due(run, now):
                self._put_back(run)
                self._expire(now)
            elif not self._down or not self._held_back(run):
                self._start(run, now)

    def expire(self, now: float) -> None:
        """Part with what has waited nearly as long as a delivery may last."""
        if not self._closed and self._expire(now):
            self.pump()

    def _expire(self, now: float) -> bool:
        changed = self._expiry.check(now, nothing_runs=self.blocked)
        for lane in changed:
            if lane.waiting:
                self._dependencies.forget_message(lane.waiting[0])
            self._lanes.unpark(lane)
        return bool(changed)

    def _held_back(self, run: Run) -> bool:
        """Whether a run has to wait for a place that is down; those of several that need it, alone."""
        if len(run.messages) == 1:
            return self._held_alone(run)
        needing = [held for held in run.messages if self._dependencies.held_back(held)]
        for held in needing:
            held.isolation = Isolation.ALONE
        if needing:
            self._put_back(run)
        return bool(needing)

    def _held_alone(self, run: Run) -> bool:
        [(lane, [held])] = run.parts
        if not self._dependencies.hold(held, partial(self._wake, lane, held)):
            return False
        self._lanes.put_back(lane, [held], park=True)
        self._lanes.done(lane)
        return True

    def _wake(self, lane: Lane, held: InFlightMessage) -> bool:
        """The place that this message waits for may be tried, or is up."""
        if not lane.parked or not lane.waiting or lane.waiting[0] is not held:
            return False
        self._unpark(lane)
        return True

    def _put_back(self, run: Run) -> None:
        """Do as if the run had never been made."""
        for lane, part in run.parts:
            self._lanes.put_back(lane, part)
            self._lanes.done(lane)

    def _start(self, run: Run, now: float) -> None:
        run.started = now
        # The delivery of its oldest message ends some time, too, and has to be given back before.
        end = run.oldest + self._dependencies.rules.longest_lease - END_MARGIN - STOPPING
        run.expires = now + self._route.time_limit
        if end < run.expires:
            run.expires, run.last = end, True
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
        if self._down:
            self._dependencies.ended(run)
        for lane, _ in run.parts:
            self._lanes.done(lane)
            if self._emptying:
                self._in_flight.release(self._lanes.cut(lane))
        self._permits.changed()
        self.pump()

    # One run.

    async def _work(self, run: Run) -> None:
        if run.messages[0].dead_letter_reason is not None:
            await self._dead_lettering.end(run)
            return
        error = await attempt(
            self._queue, self._route, run, self._observe, partial(self._dependencies.succeeded, run)
        )
        if run.succeeded:
            self._dependencies.cleared(run, error)
        match error:
            case None:
                self._dependencies.done(run, self._route.needs)
                await self._settle(run)
            case StoppedError():
                # Of several it is the first that has to go: there is no time to find out which of them it is.
                run.messages[0].outlasts = str(error) == "ended"
                self._return(run)
            case DependencyDown() | Refused():
                await self._unmet(run, error)
            case NotYet() if len(run.messages) == 1:
                self._return(run, park=self._dependencies.not_yet(run))
            case _:
                await self._failed(run, error)

    async def _settle(self, run: Run) -> None:
        # On a FIFO queue the next run of a group starts only when this one's delete is confirmed.
        if self._facts.fifo:
            await self._in_flight.delete(run)
        else:
            self._in_flight.delete_later(run)

    async def _unmet(self, run: Run, error: DependencyDown | Refused) -> None:
        """A dependency did not do its part."""
        ruling = await self._dependencies.failed(
            run, error, needs=self._route.needs, most=self._limits.max_attempts
        )
        match ruling.next:
            case None:
                await self._failed(run, error)
            case Next.WAIT:
                self._return(run, park=ruling.pause)
            case Next.DEAD_LETTER:
                run.messages[0].attempts += ruling.failures
                await self._give_up(run, error, ruling.cause, ruling.why)
            case other:
                await self._proceed(run, error, other)

    async def _failed(self, run: Run, error: BaseException) -> None:
        messages = run.messages
        if len(messages) == 1:
            messages[0].attempts += 1
        decision = after(Failure(error, len(messages), messages[0].attempts), self._limits.max_attempts)
        await self._proceed(run, error, decision)

    async def _proceed(self, run: Run, error: BaseException, decision: Next) -> None:
        match decision:
            case Next.SPLIT:
                narrower = Isolation.GROUP if len(run.parts) > 1 else Isolation.ALONE
                for held in run.messages:
                    held.isolation = narrower
                self._return(run)
            case Next.DEAD_LETTER:
                cause = "rejected" if isinstance(error, Reject) else "attempts"
                await self._give_up(run, error, cause, reason(error))
            case _:
                failures = max(run.messages[0].attempts, 1)
                self._return(run, park=self._route.backoff.delay(failures, self._rng))

    async def _give_up(self, run: Run, error: BaseException, cause: str, why: str) -> None:
        [held] = run.messages
        self._dependencies.forget_message(held)  # what its work met is of no matter to the telling of its end
        held.isolation = Isolation.ALONE
        held.dead_letter_reason, held.error, held.cause = why, type(error).__name__, cause
        await self._dead_lettering.end(run)

    def _return(self, run: Run, park: float = 0.0) -> None:
        """Put a run's messages back at the head of their lanes, for `park` seconds at least."""
        for lane, part in run.parts:
            self._lanes.put_back(lane, part, park=park > 0)
            self._in_flight.drop_lost(lane)
            if lane.parked:
                asyncio.get_running_loop().call_later(park, self._unpark, lane)

    def _unpark(self, lane: Lane) -> None:
        self._lanes.unpark(lane)
        self._permits.changed()
        self.pump()

    def of(self, held: InFlightMessage) -> Run | None:
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
