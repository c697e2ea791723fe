"""One queue's long polls: permits first, then a receive, then its messages into their lanes."""

import asyncio
import random
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.checked_source import same_id_only
from orca_daemon.engine.dispatcher import Dispatcher
from orca_daemon.engine.errors import SourceError, SourceErrorKind
from orca_daemon.engine.events import Polled, PollOutcome, Settled, SettledOutcome
from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.in_flight_table import InFlightTable
from orca_daemon.engine.lanes import Lanes
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.queue_context import QueueContext
from orca_daemon.engine.tasks import Tasks

POLL_BACKOFF = Backoff(base=1.0, cap=30.0)
WATCHDOG = 10.0
"""Seconds past its wait after which a receive is given up: a half-open connection never answers."""
AT_ONCE = 1.0
"""Seconds: an empty answer that came sooner was no long poll, as even the shortest one takes this long."""
QUICKEST = Backoff(base=AT_ONCE, cap=5.0, jitter=0.0)
"""From one receive that was answered empty at once to the next."""
RECEIVE_MARGIN = 2.0
"""Seconds that the answer to a receive may have been on its way."""
REPLAYABLE = 290.0
"""Seconds for which SQS knows a receive attempt id (five minutes), less a margin."""


class PollGate(Protocol):
    """Decides when a queue may be read."""

    async def passed(self) -> bool:
        """Wait until the queue may be read; return False when it is not to be read any more."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait for so many seconds, but stop waiting as soon as the queue must not be read any more."""
        ...


class ReceiveAttempt:
    """The receive attempt id of a FIFO poll: kept while an answer may have been lost, else a new one.

    Each polling loop has its own, and only its task uses it.
    """

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
        """The answer came, or the id was refused: the next receive is a new one."""
        self._id = ""


class Poller:
    """Long-polls one queue.  A quiet queue has one poll under way, a busy one up to `options.pollers`.

    `last_success` and `moved` are written by the polling loops, and read by health checks.
    """

    def __init__(
        self,
        context: QueueContext,
        gate: PollGate,
        in_flight: InFlightTable,
        lanes: Lanes,
        dispatcher: Dispatcher,
    ) -> None:
        self._context = context
        self._permits = in_flight.permits
        self._gate = gate
        self._in_flight = in_flight
        self._lanes = lanes
        self._dispatcher = dispatcher
        self._extra = Tasks(context.failure)
        self._at_once = 0
        """Receives in a row, of all loops, that were answered empty at once."""
        self.last_success: float | None = None
        self.moved: float | None = None
        """When a receive last began or ended."""

    async def run(self) -> None:
        """Poll until the gate closes for good, then wait for the polls under way; a supervised task."""
        await self._loop(extra=False)
        await self._extra.join()

    async def _loop(self, *, extra: bool) -> None:
        attempt = ReceiveAttempt(self._context.rng, fifo=self._context.facts.fifo)
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
            self._dispatcher.pump()
            # Runs begin first: the next receive is made ready while they wait for the database.
            await asyncio.sleep(0)
            if len(got) == asked and self._may_start_extra():
                self._extra.start(self._loop(extra=True), f"extra poller of {self._context.name}")
            elif extra and len(got) < asked:
                return
            elif pause := self._rest(attempt.began, empty=not got):
                await self._gate.pause(pause)

    def _may_start_extra(self) -> bool:
        return self._permits.free > 0 and len(self._extra) < self._context.options.pollers - 1

    async def _answer(self, asked: int, attempt: ReceiveAttempt) -> Sequence[Envelope] | None:
        """Receive until there is an answer; return None if the gate closes for good before.

        The permits stay reserved meanwhile, and an extra poller stays: repeating the attempt id returns every
        message of the lost answer, even if the retry asks for fewer.
        """
        failures = 0
        while await self._gate.passed():
            if (got := await self._poll(asked, attempt)) is not None:
                return got
            failures += 1
            await self._gate.pause(POLL_BACKOFF.delay(failures, self._context.rng))
        return None

    async def _poll(self, asked: int, attempt: ReceiveAttempt) -> Sequence[Envelope] | None:
        """One receive: return its messages, or None if it failed."""
        now = asyncio.get_running_loop().time
        options = self._context.options
        self.moved = attempt.began = now()
        try:
            # Only this watchdog ends a receive early.  A stop of the engine does not, because the messages of
            # an abandoned receive, and their groups, stay hidden for the whole lease.
            async with asyncio.timeout(options.wait + WATCHDOG):
                envelopes = await self._context.source.receive(
                    asked, wait=options.wait, lease=options.lease, attempt_id=attempt.id(now())
                )
        except TimeoutError:
            self._failed(PollOutcome.ERROR, "the receive did not answer in time")
            return None
        except SourceError as error:
            if error.kind in {SourceErrorKind.THROTTLED, SourceErrorKind.ATTEMPT}:
                attempt.renew()
            throttled = error.kind is SourceErrorKind.THROTTLED
            self._failed(PollOutcome.THROTTLED if throttled else PollOutcome.ERROR, f"{error.kind}: {error}")
            return None
        except Exception as error:  # noqa: BLE001  no error ends a poller: it pauses and tries again
            self._failed(PollOutcome.ERROR, type(error).__name__)
            return None
        finally:
            self.moved = now()
        attempt.renew()
        self.last_success = self.moved
        outcome = PollOutcome.MESSAGES if envelopes else PollOutcome.EMPTY
        self._context.observe(Polled(self._context.name, outcome, tuple(envelopes)))
        return envelopes

    def _accept(self, envelopes: Sequence[Envelope]) -> None:
        """Take the messages of one receive into their lanes."""
        context, now = self._context, asyncio.get_running_loop().time()
        lease = context.options.lease
        # Lanes that must not grow, because a message of their group was left to its lease.
        left_out: set[str] = set()
        for envelope in envelopes:
            key = context.lane_of(envelope)
            if known := self._in_flight.find(envelope):
                self._received_again(known, envelope, now, left_out)
            elif key in left_out:
                self._hide(envelope)
            else:
                message = InFlightMessage(envelope, now, now + lease - RECEIVE_MARGIN, now + lease / 3)
                message.decode(context.route)
                self._in_flight.add(message)
                self._lanes.add(key, message)

    def _received_again(
        self, known: InFlightMessage, envelope: Envelope, now: float, left_out: set[str]
    ) -> None:
        """A message in flight was received again, or another message under its id."""
        if same_id_only(known.envelope, envelope):
            # No follower in its group may overtake it, so they are left to their leases until it comes again.
            left_out.add(self._context.lane_of(envelope))
            self._hide(envelope)
            return
        # An answer may have been on its way for long: then the receipt that we have is the newer one.
        if envelope.receive_count >= known.envelope.receive_count:
            known.received_again(envelope, now, self._context.options.lease - RECEIVE_MARGIN)
        self._context.observe(Settled(self._context.name, envelope, SettledOutcome.DUPLICATE))

    def _hide(self, envelope: Envelope) -> None:
        """Do nothing with a delivery: it stays hidden until its lease ends.  Only report it."""
        self._context.observe(Settled(self._context.name, envelope, SettledOutcome.HIDDEN))

    def _rest(self, began: float, *, empty: bool) -> float:
        """Seconds to wait before the next receive.  Long polls pace themselves, but not every queue has them.

        A FIFO queue at its limit in flight answers at once, and so do servers that only resemble SQS.
        """
        took = asyncio.get_running_loop().time() - began
        self._at_once = self._at_once + 1 if empty and took < AT_ONCE else 0
        return max(QUICKEST.delay(self._at_once, self._context.rng) - took, 0.0) if self._at_once else 0.0

    def _failed(self, outcome: PollOutcome, reason: str) -> None:
        self._context.observe(Polled(self._context.name, outcome, reason=reason))
