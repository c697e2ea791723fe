"""Plays a history: a queue, a daemon that is stopped and killed and started again, and work by script."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from unittest.mock import patch

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.engine import Binding, Engine, EngineOptions
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.engine.events import (
    BreakerChanged,
    Drain,
    DrainPhase,
    Event,
    Extended,
    NotificationAbandoned,
    Paused,
    Polled,
    Settled,
)
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.places import succeeded
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.engine.route import Route
from orca_daemon.engine.source import EntryOutcome
from tests.simulation import audit
from tests.simulation.faults import FaultySource
from tests.simulation.history import History, Life, Rates
from tests.simulation.loop import DeadlockError, LivelockError, VirtualLoop
from tests.simulation.outcome import Outcome
from tests.simulation.queues import Queues
from tests.simulation.record import Record
from tests.simulation.script import follow

UNMET: Mapping[str, Callable[[str], Exception]] = {
    "down": lambda place: DependencyDown("store", "500", place=place),
    "denied": lambda place: Refused("store", "AccessDenied", place=place),
    "slow": lambda _: NotYet("SlowDown"),
}
"""What a fault of a place is to the work."""
QUIET = 6 * 3600.0
"""Seconds that the last, undisturbed life may take to finish everything."""
PEACE = 5.0
"""Seconds between two looks at an engine that nothing disturbs."""
NO_END = 1800.0
"""Seconds in which a drain has ended, or does not end."""


def play(history: History) -> Outcome:
    """Play a history to its end, on a loop of its own."""
    loop = VirtualLoop()
    world = _World(history, loop)
    try:
        with patch("time.time", world.wall):
            loop.run_until_complete(world.run())
    except (DeadlockError, LivelockError) as error:
        world.outcome.faults.append(type(error).__name__)
    finally:
        while tasks := asyncio.all_tasks(loop):
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.wait(tasks))
        loop.close()
    world.outcome.complaints += loop.complaints
    return world.outcome


class _World:
    def __init__(self, history: History, loop: VirtualLoop) -> None:
        self._history = history
        self._loop = loop
        self._rng = random.Random(history.seed ^ 0x5EED)
        self._record = Record()
        self._queues = Queues(
            fifo=history.fifo,
            max_receives=history.max_receives if history.dead_letter else None,
            visibility=history.lease,
            clock=lambda: loop.time() + self._past(history.sleeps),
            now=loop.time,
            seed=history.seed,
            longest_lease=history.rules.longest_lease,
        )
        self.outcome = Outcome(history, self._record, self._queues)
        self._attempts: dict[str, int] = {}
        self._sent = 0
        self._last_answer: float | None = None
        self._scripts = {sending.id: sending for sending in history.sendings}

    async def run(self) -> None:
        """Send, live, and live once more in peace."""
        sending = asyncio.create_task(self._send())
        for life in self._history.lives:
            await self._live(self._history.rates, life)
            self._record.life += 1
        await sending
        # The faults end with the outages: what was promised must now come true.
        peace = self._history.rates if self._history.undisturbed else Rates()
        await self._live(peace, Life(QUIET, "stop"))

    async def _send(self) -> None:
        for sending in sorted(self._history.sendings, key=lambda one: one.at):
            await asyncio.sleep(max(0.0, sending.at - self._loop.time()))
            self._queues.send(sending.id, sending.group)
            self._record.add(self._loop.time(), "sent", (sending.id,), group=sending.group)
            self._sent += 1

    async def _live(self, rates: Rates, life: Life) -> None:
        source = FaultySource(
            self._queues.source, self._history, rates, self._rng, self._record, self._loop.time
        )
        engine = self._engine(source)
        self._last_answer = None
        before = asyncio.all_tasks()
        running = asyncio.create_task(engine.run())
        running.add_done_callback(lambda task: None if task.cancelled() else task.exception())
        self._loop.strike_after(life.turn, source.die)
        until = self._loop.time() + life.seconds
        while self._loop.time() < until and not running.done() and not source.died.is_set():
            if life.seconds == QUIET and self._finished():
                break
            step = PEACE if life.seconds == QUIET else 1.0
            await _moment(source.died, min(step, max(until - self._loop.time(), 0.001)))
            if engine.paused is not self._paused:
                engine.set_paused(paused=self._paused)
            if self._rng.random() < rates.duplicate:
                self._queues.double(self._rng)
            self.outcome.leaks += audit.leaks(engine, self._history.held)
            self.outcome.lies += audit.lies(engine, self._last_answer)
        self._loop.strike_after(None, source.die)
        if life.end == "kill":
            source.die()
            await _cancel_and_forget(asyncio.all_tasks() - before - {asyncio.current_task()})
            self._record.add(self._loop.time(), "killed")
            return
        self._record.add(self._loop.time(), "stop")
        engine.stop()
        try:
            drained = await asyncio.wait_for(running, NO_END)
        except TimeoutError:
            self._record.add(self._loop.time(), "drained", seconds=NO_END)
            source.die()
        except Exception as error:  # noqa: BLE001  whatever ended the engine is a finding
            self.outcome.faults.append(repr(error))
            source.die()
        else:
            self._record.add(self._loop.time(), "drained", seconds=drained.seconds)
            source.die()  # the process has ended
            self.outcome.leaks += audit.left_over(engine, finished=not drained.unfinished)

    def _engine(self, source: FaultySource) -> Engine:
        history = self._history
        route: Route[str] = Route(
            name="work",
            decode=self._decode,
            handle=_Work(self, source, self._record.life),
            gave_up=_Notifying(self, source),
            needs=frozenset({"base"}),
            by_place=frozenset({"store"}),
            places=self._declared,
            batch=history.batch,
            merge=history.merge,
            pipelined=history.pipelined,
            ahead=history.ahead,
            max_attempts=history.max_attempts,
            backoff=Backoff(base=0.5, cap=5.0),
            time_limit=history.time_limit,
        )
        binding = Binding(
            name="queue",
            route=route,
            source=source,
            facts=self._queues.source.describe(),
            options=ConsumerOptions(
                lease=history.lease,
                wait=history.wait,
                held=history.held,
                held_bytes=history.held_bytes,
                pollers=history.pollers,
                concurrency=history.concurrency,
                max_attempts=history.max_attempts,
            ),
        )
        return Engine(
            [binding],
            probes={"base": self._probe},
            drain_seconds=history.drain_seconds,
            observe=lambda event: self._observed(event, source),
            options=EngineOptions(rules=history.rules, rng=random.Random(self._rng.random())),
        )

    def _decode(self, envelope: Envelope) -> str:
        if not self._scripts[envelope.body].decodes:
            raise Reject("unreadable")
        return envelope.body

    def _declared(self, name: str) -> frozenset[tuple[str, str]]:
        sending = self._scripts[name]
        return frozenset({("store", sending.place)} if sending.place and sending.declared else ())

    async def _probe(self) -> None:
        await asyncio.sleep(0.01)
        if self.down:
            raise ConnectionError

    @property
    def down(self) -> bool:
        """Whether the dependency is down now."""
        return any(start <= self._loop.time() < end for start, end in self._history.outages)

    @property
    def _paused(self) -> bool:
        return any(start <= self._loop.time() < end for start, end in self._history.pauses)

    async def notify(self, name: str, reason: str, source: FaultySource) -> None:
        """Hear of a message that is given up, or be deaf."""
        await asyncio.sleep(0.02)
        if source.dead:
            raise asyncio.CancelledError
        if self._scripts[name].unspeakable or self._rng.random() < source.rates.deaf_world:
            self._record.add(self._loop.time(), "unheard_of", (name,))
            raise ConnectionError
        self._record.add(self._loop.time(), "notified", (name,), reason=reason)

    def next_step(self, name: str) -> str:
        """How this attempt at a message goes; the last step of a script goes on for ever."""
        script = self._scripts[name].script
        number = self._attempts.get(name, 0)
        self._attempts[name] = number + 1
        return script[min(number, len(script) - 1)]

    async def work(self, run: Sequence[Delivery[str]], source: FaultySource) -> None:
        """One attempt at a run: all of it is committed at one moment, or nothing."""
        now, names = self._loop.time, tuple(delivery.message for delivery in run)
        if source.dead:
            raise asyncio.CancelledError  # a timer of a killed daemon: it reaches nobody
        receipts = tuple(delivery.envelope.receipt for delivery in run)
        self._record.add(now(), "begin", names, receipts=receipts)
        error = "cancelled"
        try:
            for name, step in [(name, self.next_step(name)) for name in names]:
                if await self._step(name, step, names):
                    break  # what was cancelled commits all the same, and begins nothing more
            self._need_the_base()
            if not source.dead:
                self._record.add(now(), "commit", names)
            error = ""
        except Exception as problem:
            error = f"{type(problem).__name__} {getattr(problem, 'dependency', '')}".strip()
            raise
        finally:
            if not source.dead:
                self._record.add(now(), "end", names, error=error, receipts=receipts)

    async def _step(self, name: str, step: str, run: Sequence[str]) -> bool:
        """The work of one message, as its script and the world have it; True where it cannot be stopped."""
        self._need_the_base()
        if step == "stall":
            self._loop.stall(self._rng.choice((3.0, 20.0, 90.0)))
        place = self._scripts[name].place
        stubborn = await follow(step, place)
        if stubborn and not all(self._scripts[one].healthy for one in run):
            raise asyncio.CancelledError
        if place:
            self._use(place)
        return stubborn

    def _need_the_base(self) -> None:
        if self.down:
            raise DependencyDown("base", "outage")

    def _use(self, place: str) -> None:
        """What a place answers now."""
        for fault in self._history.faults:
            failing = fault.place == place and fault.start <= self._loop.time() < fault.end
            if failing and self._rng.random() < fault.share:
                raise UNMET[fault.kind](place)
        succeeded("store", place)

    def _observed(self, event: Event, source: FaultySource) -> None:
        if source.dead:
            return
        now = self._loop.time()
        self.outcome.events.append(event)
        match event:
            case Paused():
                self._record.add(now, "paused" if event.paused else "resumed")
            case Drain() if event.phase is DrainPhase.POLLS_JOINED:
                self._record.add(now, "joined")
            case Settled():
                receipts = (event.envelope.receipt,)
                self._record.add(
                    now,
                    "left",
                    (event.envelope.body,),
                    outcome=event.outcome,
                    receipts=receipts,
                    cause=event.cause,
                    held=event.held_seconds,
                )
            case Polled():
                self._last_answer = self._last_answer if event.reason else now
                names = tuple(one.body for one in event.messages)
                got = tuple(one.receipt for one in event.messages)
                self._record.add(now, "polled", names, outcome=event.outcome, receipts=got)
            case BreakerChanged() if event.dependency == "store":
                self._record.add(now, "place_down" if event.open else "place_up", (event.place,))
            case NotificationAbandoned():
                self._record.add(now, "abandoned_notification", (event.envelope.body,))
            case Extended() if event.outcome is not EntryOutcome.DONE:
                self._record.add(now, "not_extended", facts=event.count)
            case _:
                pass

    def _finished(self) -> bool:
        return self._sent == len(self._history.sendings) and self._queues.left() <= self._history.staying

    def wall(self) -> float:
        """The wall clock of the daemon's machine."""
        return self._loop.time() + self._past(self._history.jumps) + self._past(self._history.sleeps)

    def _past(self, steps: Sequence[tuple[float, float]]) -> float:
        return sum(by for at, by in steps if at <= self._loop.time())


class _Work:
    """The handler of one life."""

    def __init__(self, world: _World, source: FaultySource, life: int) -> None:
        self._world = world
        self._source = source
        self._life = life

    async def __call__(self, run: Sequence[Delivery[str]], /) -> None:
        await self._world.work(run, self._source)


class _Notifying:
    """The `gave_up` of one life."""

    def __init__(self, world: _World, source: FaultySource) -> None:
        self._world = world
        self._source = source

    async def __call__(self, _: str | None, envelope: Envelope, reason: str, /) -> None:
        await self._world.notify(envelope.body, reason, self._source)


async def _moment(died: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await died.wait()


async def _cancel_and_forget(tasks: set[asyncio.Task[object]]) -> None:
    """What is left of a killed daemon: its tasks end without reaching anybody."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=1.0)
