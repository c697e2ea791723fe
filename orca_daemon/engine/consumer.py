"""One queue: its poller fills lanes, runs take messages from them to the handler, and each is settled.

A message that no run works on is in its lane, with its lease kept.  A run that is stopped, loses a lease, or
has to wait for a dependency or for the next attempt returns its messages to their lanes.
"""

import asyncio
from collections.abc import Iterable

from orca_daemon.engine.dead_letter_sender import DeadLetterSender
from orca_daemon.engine.dispatcher import Dispatcher
from orca_daemon.engine.in_flight_message import InFlightMessage, Phase
from orca_daemon.engine.in_flight_table import InFlightTable, Permits
from orca_daemon.engine.lanes import Lanes, Run, StopReason
from orca_daemon.engine.poller import Poller
from orca_daemon.engine.queue_context import QueueContext
from orca_daemon.engine.settlement import Settlement
from orca_daemon.engine.source import BATCH
from orca_daemon.engine.state import QueueState


class Consumer:
    """Consumes one queue until it is closed.

    It builds the parts of a queue.  The engine, the lease keeper and the poller use them through it.
    """

    def __init__(self, context: QueueContext) -> None:
        route, options = context.route, context.options
        self._context = context
        self.name, self.source, self.lease = context.name, context.source, options.lease
        self.longest = context.dependencies.rules.longest_lease
        self._closing = asyncio.Event()
        self.paused = False
        self._lanes = Lanes(batch=route.most, merge=route.merge)
        # Without space for it, slots would stay empty until a receive of ten fits.
        ahead = route.received_ahead if options.held >= options.concurrency + route.received_ahead else 0
        self.permits = Permits(
            options,
            active=min(options.held, options.concurrency * route.most + ahead),
            least=min(route.most, BATCH),
            ahead=bool(ahead),
            parked=lambda: self._lanes.parked,
        )
        self.settlement = Settlement(context)
        dead_letter_sender = DeadLetterSender(context)
        self._in_flight = InFlightTable(
            context, self._lanes, self.permits, self.settlement, dead_letter_sender
        )
        self._dispatcher = Dispatcher(context, self._lanes, self._in_flight, dead_letter_sender)
        self.poller = Poller(context, self, self._in_flight, self._lanes, self._dispatcher)
        context.dependencies.on_recovery(self.nudge)

    # The gate of the poller.

    async def passed(self) -> bool:
        """Wait until the queue may be read; return False once it is closing."""
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
        """Stop or resume the intake; messages in flight are worked all the same."""
        self.paused = paused
        self.nudge()

    def nudge(self) -> None:
        """Go on if possible: a dependency is up again, or the pause changed."""
        self.permits.changed()
        self._dispatcher.pump()

    # What the lease keeper reads and reports.

    def in_flight(self) -> Iterable[InFlightMessage]:
        """Every message that a lease is to be kept for."""
        return self._in_flight

    def runs(self) -> Iterable[Run]:
        """The runs at work."""
        return self._dispatcher

    def lost(self, message: InFlightMessage) -> None:
        """The lease of a message is lost: another consumer may have it already."""
        if message.phase is Phase.WAITING:
            if lane := self._lanes.lane(self._context.lane_of(message.envelope)):
                self._in_flight.drop_lost(lane)
        elif message.phase is Phase.RUNNING:
            run = self._dispatcher.run_of(message)
            if run is not None and not run.has_behind(message):  # those are left out when their turn comes
                self._dispatcher.cancel(run, StopReason.LOST)

    def expired(self, run: Run) -> None:
        """A run has used up its time, or that of its delivery."""
        self._dispatcher.cancel(run, StopReason.ENDED if run.last else StopReason.EXPIRED)

    def expire(self, now: float) -> None:
        """Give back or dead-letter messages that have waited nearly as long as a delivery may last."""
        self._dispatcher.expire(now)

    # Closing, in the order of the engine's drain.

    def close(self) -> None:
        """Start no receive and no run any more."""
        self._closing.set()
        self._dispatcher.close()
        self.permits.changed()

    def release_waiting(self) -> None:
        """Give back the messages that no run works on.  Call it after the last poll, which would get them."""
        self._dispatcher.empty()

    def cancel_runs(self) -> None:
        """Time is up: stop the work."""
        for run in self._dispatcher:
            self._dispatcher.cancel(run, StopReason.DRAINED)

    async def idle(self) -> None:
        """Wait until nothing is at work."""
        await self._dispatcher.idle()

    async def gone(self) -> None:
        """Wait until nothing is at work, being given back or being deleted."""
        while self._dispatcher or self._in_flight.releases or self.settlement.under_way:
            await self._dispatcher.idle()
            await self._in_flight.releases.join()
            await self.settlement.flush()

    def abandon(self) -> None:
        """Leave the rest to its lease: its work may yet become durable, or the queue does not answer."""
        self.settlement.abandon()
        self._in_flight.abandon()

    # For health checks and gauges.

    def state(self) -> QueueState:
        """The queue's state now."""
        messages, context = list(self._in_flight), self._context
        return QueueState(
            name=self.name,
            handler=context.route.name,
            last_poll_success=self.poller.last_success,
            poller_moved=self.poller.moved,
            waiting_for_permits=self.permits.full and not self.permits.reserved,
            breaker_open=self._dispatcher.blocked,
            held=self.permits.held,
            running=sum(message.phase is Phase.RUNNING for message in messages),
            settling=sum(message.phase is Phase.SETTLING for message in messages),
            bytes_held=self.permits.bodies.held,
            permits_free=self.permits.room,
            groups=len(self._lanes) if context.facts.fifo else 0,
            oldest_held=min((message.received for message in messages), default=None),
            at_work_since=self._dispatcher.since,
            age_limit=context.route.time_limit,
            unproven_since=min(context.dependencies.unproven(messages), default=None),
        )
