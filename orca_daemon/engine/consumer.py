"""One queue: its poller fills lanes, runs leave them for the handler, and each message is settled.

A run is one attempt.  Between attempts its messages are back at the head of their lanes, leases kept, so
stopping, losing a lease and waiting for a dependency all have one meaning: the message is in its lane.
"""

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orca_daemon.engine.attempt import Stopped, attempt
from orca_daemon.engine.breaker import Breaker
from orca_daemon.engine.burial import Burial
from orca_daemon.engine.departure import Hands
from orca_daemon.engine.errors import DependencyDown, NotYet, Reject
from orca_daemon.engine.events import Observer, Settled
from orca_daemon.engine.held import Company, Held, Phase
from orca_daemon.engine.intake import Poller
from orca_daemon.engine.lanes import Lane, Lanes, Run
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.policy import WAITING
from orca_daemon.engine.room import Room
from orca_daemon.engine.route import Route
from orca_daemon.engine.settlement import Settlement
from orca_daemon.engine.source import BATCH, LONGEST_LEASE, QueueFacts, Source
from orca_daemon.engine.state import QueueState
from orca_daemon.engine.verdict import Failure, Next, after, after_suspicion, reason

RECEIVE_MARGIN = 2.0
"""Seconds that the answer to a receive may have been under way."""
PARK_SECONDS = 900.0
"""How long a condemned message of a queue without a dead-letter queue stays hidden."""
END_MARGIN = 60.0
"""Seconds before the end of SQS's twelve hours at which work is ended, so that it can still be settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one queue is consumed; seconds throughout."""

    lease: float = 120.0
    wait: float = 10.0
    held: int = 1000
    linger: float = 0.05
    pollers: int = 4
    concurrency: int = 4
    max_attempts: int = 5


class Consumer:
    """Consumes one queue until it is closed."""

    def __init__(
        self,
        name: str,
        route: Route[Any],
        source: Source,
        facts: QueueFacts,
        options: Options,
        breakers: Mapping[str, Breaker],
        *,
        observe: Observer,
        rng: random.Random,
        about: Mapping[str, object],
    ) -> None:
        self.name, self.route, self.source, self.lease = name, route, source, options.lease
        self._facts = facts
        self._options = options
        self._breakers = breakers
        self._observe = observe
        self._rng = rng
        self._lanes = Lanes(batch=route.batch, merge=route.merge)
        self._runs: dict[Run, asyncio.Task[None]] = {}
        self._closing = asyncio.Event()
        self.paused = False
        self.room = Room(
            held=options.held,
            active=min(options.held, options.concurrency * route.batch),
            least=min(route.batch, BATCH),
            parked=lambda: self._lanes.parked,
        )
        self.settlement = Settlement(name, source, linger=options.linger, observe=observe, rng=rng)
        self._burial = Burial(name, route, source, about=about, observe=observe)
        self._hands = Hands(
            name,
            route,
            self._lanes,
            self.room,
            self.settlement,
            self._burial,
            max_receives=facts.max_receives,
            observe=observe,
        )
        self.poller = Poller(
            name,
            source,
            self.room,
            self,
            self._accept,
            fifo=facts.fifo,
            wait=options.wait,
            lease=options.lease,
            most=options.pollers,
            observe=observe,
            rng=rng,
        )
        self.fault: asyncio.Future[None] | None = None
        self.settlement.on_fault = self.poller.on_fault = self._hands.on_fault = self._broken

    # The gate of the poller.

    async def passed(self) -> bool:
        """Wait until the queue may be read; False once it is closing."""
        while not self._closing.is_set():
            if not self.paused and not self.blocked:
                return True
            await self.room.wait()
        return False

    async def pause(self, seconds: float) -> None:
        """Wait, but not past the closing of the queue."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            pass

    @property
    def blocked(self) -> bool:
        """Whether something that the work needs is down."""
        return any(self._breakers[name].open for name in self.route.needs)

    def set_paused(self, *, paused: bool) -> None:
        """Stop or resume the intake; messages in hand are worked all the same."""
        self.paused = paused
        self.nudge()

    def nudge(self) -> None:
        """Something outside changed: a breaker, the pause."""
        self.room.changed()
        self._pump()

    # From the poller into lanes, from lanes into runs.

    def _accept(self, envelopes: Sequence[Envelope]) -> None:
        now = asyncio.get_running_loop().time()
        for envelope in envelopes:
            if known := self._hands.known(envelope):
                known.renew(envelope, now, self.lease - RECEIVE_MARGIN)
                self._observe(Settled(self.name, envelope, "duplicate"))
                continue
            held = Held(envelope, now, now + self.lease - RECEIVE_MARGIN, now + self.lease / 3)
            self._decode(held)
            self._hands.take(held)
            self._lanes.add(self._key(envelope), held)
        self._pump()

    def _key(self, envelope: Envelope) -> str:
        return envelope.group or "" if self._facts.fifo else envelope.id

    def _decode(self, held: Held) -> None:
        try:
            held.message = self.route.decode(held.envelope)
        except Exception as error:  # noqa: BLE001  whatever it is, no retry can decode it
            held.company = Company.NONE
            held.condemned, held.error = reason(error), type(error).__name__

    def _pump(self) -> None:
        """Start runs while there are slots, lanes that are ready, and nothing that forbids it."""
        while len(self._runs) < self._options.concurrency and not self._closing.is_set() and not self.blocked:
            run = self._lanes.next_run()
            if run is None:
                return
            self._start(run)

    def _start(self, run: Run) -> None:
        run.started = asyncio.get_running_loop().time()
        oldest = min(held.received for held in run.messages)
        run.expires = min(run.started + self.route.time_limit, oldest + LONGEST_LEASE - END_MARGIN)
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
            self._broken(error)
            return
        for lane, _ in run.parts:
            self._lanes.done(lane)
            if self._closing.is_set():
                self._hands.release(self._lanes.cut(lane))
        self.room.changed()
        self._pump()

    # One run.

    async def _work(self, run: Run) -> None:
        if run.messages[0].condemned is not None:
            await self._bury(run)
            return
        match await attempt(self.name, self.route, run, self._observe):
            case None:
                await self._settle(run)
            case Stopped():
                self._return(run)
            case DependencyDown() as error if error.dependency in self._breakers:
                await self._down(run, error)
            case NotYet() if len(run.messages) == 1:
                [held] = run.messages
                held.early += 1
                self._return(run, park=WAITING.delay(held.early, self._rng))
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
            self._return(run)
            return
        messages = run.messages
        for held in messages:
            held.suspicions += 1
        worst = max(held.suspicions for held in messages)
        decision = after_suspicion(len(messages), worst, self._options.max_attempts)
        await self._proceed(run, error, decision, worst)

    async def _failed(self, run: Run, error: BaseException) -> None:
        messages = run.messages
        if len(messages) == 1:
            messages[0].attempts += 1
        attempts = messages[0].attempts
        decision = after(Failure(error, len(messages), attempts), self._options.max_attempts)
        await self._proceed(run, error, decision, attempts)

    async def _proceed(self, run: Run, error: BaseException, decision: Next, failures: int) -> None:
        match decision:
            case Next.RETRY:
                self._return(run, park=self.route.backoff.delay(max(failures, 1), self._rng))
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
        try:
            if self._facts.dead_letter is None:
                await self._burial.announce(held)
                self._hands.release([held, *self._lanes.cut(lane)], seconds=PARK_SECONDS)
            else:
                await self._hands.bury(lane, held)
        except Exception as error:  # noqa: BLE001  the message is kept, whatever went wrong
            if isinstance(error, DependencyDown) and error.dependency in self._breakers:
                await self._breakers[error.dependency].report(reason(error))
            failures = self._burial.failed(held, error)
            self._return(run, park=self.route.backoff.delay(failures, self._rng))

    def _return(self, run: Run, *, park: float = 0.0) -> None:
        """Put a run's messages back at the head of their lanes, for `park` seconds at least."""
        for lane, part in run.parts:
            self._lanes.put_back(lane, part, park=park > 0)
            self._hands.drop_lost(lane)
            if lane.parked:
                asyncio.get_running_loop().call_later(park, self._unpark, lane)

    def _unpark(self, lane: Lane) -> None:
        self._lanes.unpark(lane)
        self.room.changed()
        self._pump()

    # What the keeper finds.

    def in_hand(self) -> Iterable[Held]:
        """Every message that a lease is to be kept for."""
        return self._hands

    def runs(self) -> Iterable[Run]:
        """The runs at work."""
        return self._runs

    def lost(self, held: Held) -> None:
        """The lease of a message is lost: it may be in other hands already."""
        if held.phase is Phase.WAITING:
            if lane := self._lanes.lane(self._key(held.envelope)):
                self._hands.drop_lost(lane)
        elif held.phase is Phase.RUNNING:
            for run in list(self._runs):
                if held in run.messages:
                    self._cancel(run, "lost")

    def expired(self, run: Run) -> None:
        """A run has used up its time."""
        self._cancel(run, "expired")

    def _cancel(self, run: Run, why: str) -> None:
        # A settlement under way is not cancelled: it ends by itself, and cancelled it could lose a delete.
        if run.stop is None and all(held.phase is Phase.RUNNING for held in run.messages):
            run.stop = why
            run.stopped_at = asyncio.get_running_loop().time()
            self._runs[run].cancel()

    # Closing, in the order of the engine's drain.

    def close(self) -> None:
        """Start no receive and no run any more."""
        self._closing.set()
        self.room.changed()

    def release_waiting(self) -> None:
        """Give back what is not at work.  Only after the poller has ended: it would take it again."""
        self._hands.release([held for lane in self._lanes for held in self._lanes.cut(lane)])

    def cancel_runs(self) -> None:
        """Time is up: stop what is at work."""
        for run in list(self._runs):
            self._cancel(run, "drained")

    async def idle(self) -> None:
        """Wait until nothing is at work."""
        while self._runs:
            await asyncio.wait(self._runs.values())

    async def gone(self) -> None:
        """Wait until nothing is at work or on its way out."""
        while tasks := {*self._runs.values(), *self._hands.tasks}:
            await asyncio.wait(tasks)
        await self.settlement.flush()

    def abandon(self) -> None:
        """Leave what is still in hand to its lease: its work may yet become durable, or nobody answers."""
        self._hands.abandon()

    # Looking in.

    def state(self) -> QueueState:
        """What the queue looks like now."""
        held = list(self._hands)
        return QueueState(
            name=self.name,
            handler=self.route.name,
            last_poll_success=self.poller.last_success,
            poller_moved=self.poller.moved,
            waiting_for_permits=self.room.full,
            breaker_open=self.blocked,
            held=self.room.held,
            running=sum(one.phase is Phase.RUNNING for one in held),
            settling=sum(one.phase is Phase.SETTLING for one in held),
            bytes_held=sum(len(one.envelope.body) for one in held),
            permits_free=max(self.room.free, 0),
            groups=len(self._lanes) if self._facts.fifo else 0,
            oldest_held=min((one.received for one in held), default=None),
            age_limit=self.route.time_limit,
        )

    def _broken(self, error: BaseException) -> None:
        """The engine itself is at fault: the process must end, and leases run out."""
        if self.fault is not None and not self.fault.done():
            self.fault.set_exception(error)
