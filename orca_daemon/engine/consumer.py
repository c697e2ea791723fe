"""One queue: its poller fills lanes, runs leave them for the handler, and each message is settled.

A run is one attempt.  Between attempts its messages are back at the head of their lanes, leases kept, so
stopping, losing a lease and waiting for a dependency all have one meaning: the message is in its lane.
"""

import asyncio
import random
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orca_daemon.engine.breaker import Breaker
from orca_daemon.engine.burial import Burial
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.engine.events import Attempted, Observer, Settled
from orca_daemon.engine.held import Company, Held, Phase
from orca_daemon.engine.intake import Poller
from orca_daemon.engine.lanes import Lane, Lanes, Run
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.room import Room
from orca_daemon.engine.route import Route
from orca_daemon.engine.settlement import Settlement
from orca_daemon.engine.source import LONGEST_LEASE, QueueFacts, Source
from orca_daemon.engine.verdict import Failure, Next, after, after_suspicion, reason

RECEIVE_MARGIN = 2.0
"""Seconds that the answer to a receive may have been under way."""
PARK_SECONDS = 900.0
"""How long a condemned message of a queue without a dead-letter queue stays hidden."""


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


class Stopped(Exception):  # noqa: N818  an outcome of a run, never raised to anyone
    """The attempt was cancelled by the engine."""


class Consumer:
    """Consumes one queue until it is stopped."""

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
        self.name, self.route, self.source, self.facts = name, route, source, facts
        self.lease = options.lease
        self._options = options
        self._breakers = breakers
        self._observe = observe
        self._rng = rng
        self._lanes = Lanes(batch=route.batch, merge=route.merge)
        self._by_id: dict[str, Held] = {}
        self._runs: dict[Run, asyncio.Task[None]] = {}
        self._releases: set[asyncio.Task[None]] = set()
        self._resumed = asyncio.Event()
        self._resumed.set()
        self._closing = asyncio.Event()
        self.room = Room(
            held=options.held,
            active=min(options.held, options.concurrency * route.batch),
            least=min(route.batch, 10),
        )
        self.room.parked = lambda: self._lanes.parked
        self.settlement = Settlement(name, source, linger=options.linger, observe=observe, rng=rng)
        self._burial = Burial(name, route, source, about=about, observe=observe)
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
        self.settlement.on_fault = self.poller.on_fault = self.failed

    # The gate of the poller.

    async def passed(self) -> bool:
        """Wait until the queue may be read; False once it is closing."""
        while not self._closing.is_set():
            if self._resumed.is_set() and not self.blocked:
                return True
            self.room.changed()
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

    @property
    def paused(self) -> bool:
        """Whether an operator stopped the intake."""
        return not self._resumed.is_set()

    def set_paused(self, *, paused: bool) -> None:
        """Stop or resume the intake; messages in hand are worked all the same."""
        if paused:
            self._resumed.clear()
        else:
            self._resumed.set()
        self.nudge()

    def nudge(self) -> None:
        """Something outside changed: a breaker, the pause."""
        self.room.changed()
        self._pump()

    # Receiving.

    def _accept(self, envelopes: Sequence[Envelope]) -> None:
        now = asyncio.get_running_loop().time()
        for envelope in envelopes:
            known = self._by_id.get(envelope.id)
            if known is not None and known.phase is not Phase.LEAVING and not known.lost:
                known.renew(envelope, now, self.lease - RECEIVE_MARGIN)
                self._observe(Settled(self.name, envelope, "duplicate"))
                continue
            held = Held(envelope, now, now + self.lease - RECEIVE_MARGIN, now + self.lease / 3)
            self._decode(held)
            self._by_id[envelope.id] = held
            self.room.held += 1
            self._lanes.add(self._key(envelope), held)
        self._pump()

    def _key(self, envelope: Envelope) -> str:
        return envelope.group or "" if self.facts.fifo else envelope.id

    def _decode(self, held: Held) -> None:
        try:
            held.message = self.route.decode(held.envelope)
        except Exception as error:  # noqa: BLE001  whatever it is, no retry can decode it
            held.company = Company.NONE
            held.condemned = reason(error)
            held.error = type(error).__name__

    # Working.

    def _pump(self) -> None:
        """Start runs while there are slots, lanes that are ready, and nothing that forbids it."""
        while len(self._runs) < self._options.concurrency and not self._closing.is_set() and not self.blocked:
            run = self._lanes.next_run()
            if run is None:
                return
            self._start(run)

    def _start(self, run: Run) -> None:
        now = asyncio.get_running_loop().time()
        oldest = min(held.received for held in run.messages)
        run.started = now
        run.expires = min(now + self.route.time_limit, oldest + LONGEST_LEASE - 60.0)
        task = asyncio.create_task(self._work(run))
        self._runs[run] = task
        task.add_done_callback(lambda ended: self._worked(run, ended))

    def _worked(self, run: Run, task: asyncio.Task[None]) -> None:
        del self._runs[run]
        if task.cancelled():
            if run.stop is None:
                return  # the whole engine is being torn down
            self._return(run, park=0.0)
        elif error := task.exception():
            self.failed(error)
            return
        for lane, _ in run.parts:
            self._lanes.done(lane)
            if self._closing.is_set():
                self._release_waiting(lane)
        self.room.changed()
        self._pump()

    async def _work(self, run: Run) -> None:
        condemned = run.messages[0] if run.messages[0].condemned else None
        if condemned:
            await self._bury(run, condemned)
            return
        error = await self._attempt(run)
        match error:
            case None:
                await self._settle(run)
            case Stopped():
                self._return(run, park=0.0)
            case DependencyDown() if error.dependency in self._breakers:
                await self._down(run, error)
            case _:
                await self._failed(run, error)

    async def _attempt(self, run: Run) -> BaseException | None:
        """Call the handler once; how it ended is returned, not raised."""
        messages = run.messages
        deliveries = [Delivery(held.message, held.envelope, held.attempts + 1) for held in messages]
        loop = asyncio.get_running_loop()
        try:
            await self.route.handle(deliveries)
            error: BaseException | None = None
        except asyncio.CancelledError:
            if run.stop is None:
                raise
            error = Stopped(run.stop)
        except Exception as problem:  # noqa: BLE001  any error is an outcome
            error = problem
        seconds = loop.time() - run.started
        if run.stop and (task := asyncio.current_task()):
            task.uncancel()
            if run.stop == "expired" and error:
                error = TimeoutError(f"not done within {self.route.time_limit:.0f} s")
        for held in messages:
            held.work_seconds += seconds
        outcome = _outcome(run, error)
        # The work is over, one way or the other: what follows may be stopped for reasons of its own.
        run.stop, run.expires = None, loop.time() + self.route.time_limit
        self._observe(
            Attempted(
                self.name,
                tuple(held.envelope for held in messages),
                messages[0].attempts + 1,
                seconds,
                error if not isinstance(error, Stopped) else None,
                outcome,
            )
        )
        return error

    async def _down(self, run: Run, error: DependencyDown) -> None:
        if await self._breakers[error.dependency].report(reason(error)):
            self._return(run, park=0.0)
            return
        messages = run.messages
        for held in messages:
            held.suspicions += 1
        worst = max(held.suspicions for held in messages)
        await self._proceed(
            run, error, after_suspicion(len(messages), worst, self._options.max_attempts), worst
        )

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
                self._return(run, park=0.0)
            case Next.BURY:
                held = run.messages[0]
                held.condemned, held.error = reason(error), type(error).__name__
                await self._bury(run, held)

    def _return(self, run: Run, *, park: float) -> None:
        """Put a run's messages back into their lanes; what was lost meanwhile breaks its lane."""
        for lane, part in run.parts:
            self._lanes.put_back(lane, part, park=park > 0)
            self._drop_lost(lane, part)
            if park > 0:
                asyncio.get_running_loop().call_later(park, self._unpark, lane)

    def _unpark(self, lane: Lane) -> None:
        self._lanes.unpark(lane)
        self.room.changed()
        self._pump()

    # Settling.

    async def _settle(self, run: Run) -> None:
        """Delete what is durable: of each lane, all before the first message whose lease was lost."""
        messages = run.messages
        for held in messages:
            held.phase = Phase.SETTLING
        if self.facts.fifo:
            await self._delete(run, urgent=True)
            return
        # The slot works for the next message while the delete waits for company.
        self.room.settling += len(messages)
        self._later(self._delete_apart(run, len(messages)))

    async def _delete_apart(self, run: Run, count: int) -> None:
        try:
            await self._delete(run, urgent=False)
        finally:
            self.room.settling -= count
            self.room.changed()

    async def _delete(self, run: Run, *, urgent: bool) -> None:
        split = [(lane, part, len(_before_lost(part))) for lane, part in run.parts]
        await self.settlement.delete([held for _, part, n in split for held in part[:n]], urgent=urgent)
        for lane, part, n in split:
            gone = [held for held in part[:n] if not held.lost]
            for held in gone:
                self._left(held, "deleted")
            if len(gone) < len(part):
                rest = [held for held in part if held.lost or held not in gone]
                self._lanes.put_back(lane, rest)
                self._drop_lost(lane, rest)

    async def _bury(self, run: Run, held: Held) -> None:
        """Dead-letter one message; where that does not work it stays, and is tried again."""
        lane = run.parts[0][0]
        try:
            if self.facts.dead_letter is None:
                await self._burial.announce(held)
                self._park(lane, held)
                return
            await self._burial.bury(held)
        except DependencyDown as error:
            if error.dependency in self._breakers:
                await self._breakers[error.dependency].report(reason(error))
            self._return(run, park=self._pause_of_burial(held))
            return
        except Exception as error:  # noqa: BLE001  the message is kept, whatever went wrong
            self._burial.failed(held, error)
            self._return(run, park=self._pause_of_burial(held))
            return
        held.phase = Phase.SETTLING
        await self.settlement.delete([held], urgent=True)
        if held.lost:
            self._lanes.put_back(lane, [held])
            self._drop_lost(lane, [held])
        else:
            self._left(held, "dead_lettered")

    def _pause_of_burial(self, held: Held) -> float:
        return self.route.backoff.delay(self._burial.failures(held), self._rng)

    def _park(self, lane: Lane, held: Held) -> None:
        """No dead-letter queue: the message goes back to its queue, hidden, and its followers before it."""
        followers = self._lanes.cut(lane)
        self._release([held, *followers], seconds=PARK_SECONDS)

    # Losing, releasing.

    def lost(self, held: Held) -> None:
        """The lease of a message is lost: it may be in other hands already."""
        for run in self._runs:
            if held in run.messages:
                if held.phase is Phase.RUNNING:
                    self._cancel(run, "lost")
                return
        if held.phase is Phase.WAITING and (lane := self._lanes.lane(self._key(held.envelope))):
            self._drop_lost(lane, [held])

    def _drop_lost(self, lane: Lane, messages: Iterable[Held]) -> None:
        """Behind a lost message nothing of its lane may run before it: forget it, and give the rest back."""
        first = next((held for held in messages if held.lost), None)
        if first is None:
            return
        behind = self._lanes.cut(lane, first)
        for held in behind:
            if held.lost:
                self._left(held, "lease_lost")
        self._release([held for held in behind if not held.lost])

    def expired(self, run: Run) -> None:
        """A run has used up its time."""
        if all(held.phase is Phase.RUNNING for held in run.messages):
            self._cancel(run, "expired")

    def _cancel(self, run: Run, why: str) -> None:
        if run.stop is None:
            run.stop = why
            run.stopped_at = asyncio.get_running_loop().time()
            self._runs[run].cancel()

    def _release_waiting(self, lane: Lane) -> None:
        self._release(self._lanes.cut(lane))

    def _release(self, messages: list[Held], seconds: float = 0.0) -> None:
        for held in messages:
            held.phase = Phase.LEAVING
        if messages:
            self._later(self._give_back(messages, seconds))

    async def _give_back(self, messages: list[Held], seconds: float) -> None:
        """Tail first, head last; with `seconds`, the head stays hidden that long."""
        for held in messages:
            await self._burial.last_receive(held, self.facts.max_receives)
        behind = messages[1:] if seconds else messages
        stuck = await self.settlement.release(behind)
        if seconds:
            stuck += await self.settlement.release(messages[:1], seconds)
        for held in messages:
            self._left(held, "hidden" if held in stuck else "released")

    def _left(self, held: Held, outcome: str) -> None:
        """A message is no longer in hand."""
        if self._by_id.get(held.envelope.id) is held:
            del self._by_id[held.envelope.id]
        self.room.held -= 1
        self.room.changed()
        now = asyncio.get_running_loop().time()
        self._observe(
            Settled(
                self.name,
                held.envelope,
                outcome,
                reason=held.condemned or "",
                attempts=held.attempts + (outcome == "deleted"),
                held_seconds=now - held.received,
                lease_left=max(held.deadline - now, 0.0),
                work_seconds=held.work_seconds,
                facts=self.route.describe(held.message) if held.message is not None else {},
            )
        )

    # Closing, in the order of the engine's drain.

    def close(self) -> None:
        """Start no receive and no run any more."""
        self._closing.set()
        self.room.changed()

    def release_waiting(self) -> None:
        """Give back what is not at work.  Only after the poller has ended: it would take it again."""
        self._release([held for lane in self._lanes for held in self._lanes.cut(lane)])

    def cancel_runs(self) -> None:
        """Time is up: stop what is at work.  Settlements under way are not touched."""
        for run in list(self._runs):
            if all(held.phase is Phase.RUNNING for held in run.messages):
                self._cancel(run, "drained")

    def abandon(self) -> int:
        """Leave what cannot be stopped to its lease, since it may yet become durable; how many messages."""
        left = [held for run in self._runs for held in run.messages]
        for held in left:
            self._left(held, "hidden")
        return len(left)

    async def idle(self) -> None:
        """Wait until nothing is at work or on its way out."""
        while tasks := {*self._runs.values(), *self._releases}:
            await asyncio.wait(tasks)

    # Looking in.

    def in_hand(self) -> Iterable[Held]:
        """Every message that a lease is to be kept for."""
        return (held for held in self._by_id.values() if held.phase is not Phase.LEAVING)

    def runs(self) -> Iterable[Run]:
        """The runs at work."""
        return self._runs

    @property
    def lanes(self) -> int:
        """Lanes that hold anything."""
        return len(self._lanes)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._releases.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._releases.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.failed(error)

    def failed(self, error: BaseException) -> None:
        """The engine itself is broken: the process must end, and leases run out."""
        if self.fault is not None and not self.fault.done():
            self.fault.set_exception(error)


def _before_lost(messages: Sequence[Held]) -> list[Held]:
    """The messages before the first one whose lease was lost."""
    for index, held in enumerate(messages):
        if held.lost:
            return list(messages[:index])
    return list(messages)


def _outcome(run: Run, error: BaseException | None) -> str:
    match error:
        case None:
            return "done"
        case Stopped():
            return run.stop or "drained"
        case Reject():
            return "rejected"
        case DependencyDown():
            return "down"
        case TimeoutError() if run.stop == "expired":
            return "expired"
        case _:
            return "failed"
