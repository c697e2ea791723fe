"""One queue: its poller fills lanes, runs leave them for the handler, and each message is settled.

A message that is not at work is in its lane, its lease kept: stopping, losing a lease and waiting for a
dependency or for the next attempt all have that one meaning.
"""

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orca_daemon.engine.checked_source import CheckedSource, same_id_only
from orca_daemon.engine.dead_letter_sender import DeadLetterSender
from orca_daemon.engine.dependencies import Dependencies
from orca_daemon.engine.dispatcher import Dispatcher, RunLimits
from orca_daemon.engine.events import Observer, Settled
from orca_daemon.engine.in_flight_message import InFlightMessage, Isolation, Phase
from orca_daemon.engine.in_flight_table import InFlightTable
from orca_daemon.engine.lanes import Lanes, Run
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.permits import Permits
from orca_daemon.engine.poller import Poller
from orca_daemon.engine.route import Route
from orca_daemon.engine.settlement import Settlement
from orca_daemon.engine.source import BATCH, QueueFacts, Source
from orca_daemon.engine.state import QueueState
from orca_daemon.engine.verdict import reason

RECEIVE_MARGIN = 2.0
"""Seconds that the answer to a receive may have been under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerOptions:
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
        options: ConsumerOptions,
        dependencies: Dependencies,
        *,
        observe: Observer,
        rng: random.Random,
        about: Mapping[str, object],
    ) -> None:
        self.name, self.route, self.lease = name, route, options.lease
        self.source: Source = CheckedSource(source)
        self.longest = dependencies.rules.longest_lease
        self._dependencies = dependencies
        self._facts = facts
        self._observe = observe
        self._lanes = Lanes(batch=route.batch, merge=route.merge)
        self._closing = asyncio.Event()
        self.paused = False
        self.permits = Permits(
            held=options.held,
            active=min(options.held, options.concurrency * route.batch),
            least=min(route.batch, BATCH),
            parked=lambda: self._lanes.parked,
        )
        self.settlement = Settlement(name, self.source, linger=options.linger, observe=observe, rng=rng)
        dead_letter_sender = DeadLetterSender(name, route, self.source, about=about, observe=observe)
        self._in_flight = InFlightTable(
            name,
            route,
            self._lanes,
            self.permits,
            self.settlement,
            dead_letter_sender,
            dependencies=dependencies,
            max_receives=facts.max_receives,
            observe=observe,
        )
        self._dispatcher = Dispatcher(
            name,
            route,
            facts,
            RunLimits(concurrency=options.concurrency, max_attempts=options.max_attempts),
            self._lanes,
            self.permits,
            self._in_flight,
            dead_letter_sender,
            dependencies,
            observe=observe,
            rng=rng,
        )
        self.poller = Poller(
            name,
            self.source,
            self.permits,
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
        for part in (self.settlement, self.poller, self._in_flight, self._dispatcher):
            part.on_fault = self._broken

    # The gate of the poller.

    async def passed(self) -> bool:
        """Wait until the queue may be read; False once it is closing."""
        while not self._closing.is_set():
            if not self.paused and not self._dispatcher.blocked:
                return True
            await self.permits.wait()
        return False

    async def pause(self, seconds: float) -> None:
        """Wait, but not past the closing of the queue."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            pass

    def set_paused(self, *, paused: bool) -> None:
        """Stop or resume the intake; messages in hand are worked all the same."""
        self.paused = paused
        self.nudge()

    def nudge(self) -> None:
        """Something outside changed: a breaker, the pause."""
        self.permits.changed()
        self._dispatcher.pump()

    # From the poller into lanes, from lanes into runs.

    def _accept(self, envelopes: Sequence[Envelope]) -> None:
        now = asyncio.get_running_loop().time()
        refused: set[str] = set()
        for envelope in envelopes:
            if known := self._in_flight.find(envelope):
                self._redelivered(known, envelope, now, refused)
            elif self._key(envelope) in refused:
                self._hide(envelope)
            else:
                held = InFlightMessage(envelope, now, now + self.lease - RECEIVE_MARGIN, now + self.lease / 3)
                self._decode(held)
                self._in_flight.add(held)
                self._lanes.add(self._key(envelope), held)
        self._dispatcher.pump()

    def _redelivered(self, known: InFlightMessage, envelope: Envelope, now: float, refused: set[str]) -> None:
        """A message that is in hand came again, or another under its id."""
        if same_id_only(known.envelope, envelope):
            # Nothing of its group may overtake it, so that is left with it until it comes again.
            refused.add(self._key(envelope))
            self._hide(envelope)
            return
        # An answer may have been long under way: then the receipt in hand is the newer one.
        if envelope.receive_count >= known.envelope.receive_count:
            known.renew(envelope, now, self.lease - RECEIVE_MARGIN)
        self._observe(Settled(self.name, envelope, "duplicate"))

    def _hide(self, envelope: Envelope) -> None:
        """Leave a delivery to its lease, as if it had never come."""
        self._observe(Settled(self.name, envelope, "hidden"))

    def _key(self, envelope: Envelope) -> str:
        return envelope.group or "" if self._facts.fifo else envelope.id

    def _decode(self, held: InFlightMessage) -> None:
        try:
            held.message = self.route.decode(held.envelope)
            if self.route.places is not None:
                held.needs = self.route.places(held.message)
        except Exception as error:  # noqa: BLE001  whatever it is, no retry can decode it
            held.isolation = Isolation.ALONE
            held.dead_letter_reason, held.error = reason(error), type(error).__name__

    # What the keeper finds.

    def in_flight(self) -> Iterable[InFlightMessage]:
        """Every message that a lease is to be kept for."""
        return self._in_flight

    def runs(self) -> Iterable[Run]:
        """The runs at work."""
        return self._dispatcher

    def lost(self, held: InFlightMessage) -> None:
        """The lease of a message is lost: it may be in other hands already."""
        if held.phase is Phase.WAITING:
            if lane := self._lanes.lane(self._key(held.envelope)):
                self._in_flight.drop_lost(lane)
        elif held.phase is Phase.RUNNING and (run := self._dispatcher.of(held)):
            self._dispatcher.cancel(run, "lost")

    def expired(self, run: Run) -> None:
        """A run has used up its time, or that of its delivery."""
        self._dispatcher.cancel(run, "ended" if run.last else "expired")

    def expire(self, now: float) -> None:
        """Part with what has waited nearly as long as a delivery may last."""
        self._dispatcher.expire(now)

    # Closing, in the order of the engine's drain.

    def close(self) -> None:
        """Start no receive and no run any more."""
        self._closing.set()
        self._dispatcher.close()
        self.permits.changed()

    def release_waiting(self) -> None:
        """Give back what is not at work.  Only after the poller has ended: it would take it again."""
        self._dispatcher.empty()

    def cancel_runs(self) -> None:
        """Time is up: stop what is at work."""
        for run in self._dispatcher:
            self._dispatcher.cancel(run, "drained")

    async def idle(self) -> None:
        """Wait until nothing is at work."""
        await self._dispatcher.idle()

    async def gone(self) -> None:
        """Wait until nothing is at work or on its way out."""
        while tasks := self._dispatcher.tasks | self._in_flight.tasks:
            await asyncio.wait(tasks)
        await self.settlement.flush()

    def abandon(self) -> None:
        """Leave what is still in hand to its lease: its work may yet become durable, or nobody answers."""
        self.settlement.abandon()
        self._in_flight.abandon()

    # Looking in.

    def state(self) -> QueueState:
        """What the queue looks like now."""
        held = list(self._in_flight)
        return QueueState(
            name=self.name,
            handler=self.route.name,
            last_poll_success=self.poller.last_success,
            poller_moved=self.poller.moved,
            waiting_for_permits=self.permits.full and not self.permits.reserved,
            breaker_open=self._dispatcher.blocked,
            held=self.permits.held,
            running=sum(one.phase is Phase.RUNNING for one in held),
            settling=sum(one.phase is Phase.SETTLING for one in held),
            bytes_held=sum(len(one.envelope.body) for one in held),
            permits_free=max(self.permits.free, 0),
            groups=len(self._lanes) if self._facts.fifo else 0,
            oldest_held=min((one.received for one in held), default=None),
            at_work_since=self._dispatcher.since,
            age_limit=self.route.time_limit,
            unproven_since=min(self._dependencies.unproven(held), default=None),
        )

    def _broken(self, error: BaseException) -> None:
        """The engine itself is at fault: the process must end, and leases run out."""
        if self.fault is not None and not self.fault.done():
            self.fault.set_exception(error)
