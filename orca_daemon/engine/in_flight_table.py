"""The messages in flight of one queue: how many there may be, and how each leaves.

They are deleted, dead-lettered, given back or lost.  Permits are reserved before a receive and given back
after it on every path, so the daemon never receives a message for which it has no capacity.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from orca_daemon.engine.body_budget import BodyBudget
from orca_daemon.engine.dead_letter_sender import DeadLetterSender
from orca_daemon.engine.events import Settled, SettledOutcome
from orca_daemon.engine.in_flight_message import LEAVING, SETTLING, InFlightMessage
from orca_daemon.engine.lanes import Lane, Lanes, Run
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.queue_context import ConsumerOptions, QueueContext
from orca_daemon.engine.settlement import Settlement
from orca_daemon.engine.source import BATCH
from orca_daemon.engine.tasks import Tasks

DELETED = SettledOutcome.DELETED  # a global, because it is read for every message: see `in_flight_message`


class Permits:
    """Three limits: messages in flight, messages that are at work or ready for it, and bytes of bodies.

    Polling loops write `reserved`; the in-flight table writes `held`, and `settling` for deletes under way.
    """

    def __init__(
        self,
        options: ConsumerOptions,
        *,
        active: int,
        least: int,
        parked: Callable[[], int],
        ahead: bool = False,
    ) -> None:
        held = self._held_limit = options.held
        self._active_limit = active
        self._least = min(least, BATCH, active, held)
        """Smaller receives are not worth their round trip."""
        self._least_active = min(BATCH, active) if ahead else self._least
        """The same while messages that were received ahead are still there to be worked."""
        self.bodies = BodyBudget(options.held_bytes)
        self.held = 0
        self.reserved = 0
        self.settling = 0
        self._parked = parked
        self._changed = asyncio.Event()

    @property
    def _unused_active(self) -> int:
        return self._active_limit - (self.held - self._parked() - self.settling)

    @property
    def _unused(self) -> int:
        """How many more messages the limits admit, those that a receive under way may bring included."""
        return min(self._held_limit - self.held, self._unused_active)

    @property
    def free(self) -> int:
        """How many messages one receive may ask for now."""
        return min(BATCH, self._unused - self.reserved, self.bodies.fits(self.reserved))

    @property
    def room(self) -> int:
        """How many more messages may come before receives have to wait; 0 while they do.

        A receive under way takes nothing from it: one that hangs must not look like a queue at its limit.
        """
        return 0 if self._is_full(0) else min(self._unused, self.bodies.fits(0))

    @property
    def full(self) -> bool:
        """Whether a receive has to wait."""
        return self._is_full(self.reserved)

    def _is_full(self, reserved: int) -> bool:
        unused, active = self._unused - reserved, self._unused_active - reserved
        few = unused < self._least or active < self._least_active
        return few or self.bodies.full(reserved, self._least)

    def reserve(self) -> int:
        """Take what is free, for one receive."""
        count = self.free
        self.reserved += count
        return count

    def give_back(self, count: int) -> None:
        """End a reservation, whether its receive succeeded or not."""
        self.reserved -= count
        self._changed.set()

    def changed(self) -> None:
        """Something happened that may have freed permits."""
        self._changed.set()

    async def wait(self) -> None:
        """Wait until something may have changed."""
        self._changed.clear()
        await self._changed.wait()


class InFlightTable:
    """The messages in flight of one queue, by id, until each has left.

    The poller's task adds to it; messages are removed by the tasks of runs, by done callbacks of deletes, and
    by the table's own tasks, which give messages back.  The lease keeper reads it.
    """

    def __init__(
        self,
        context: QueueContext,
        lanes: Lanes,
        permits: Permits,
        settlement: Settlement,
        dead_letter_sender: DeadLetterSender,
    ) -> None:
        self._context = context
        self._lanes = lanes
        self.permits = permits
        self._settlement = settlement
        self._dead_letter_sender = dead_letter_sender
        self._by_id: dict[str, InFlightMessage] = {}
        self._replaced: set[InFlightMessage] = set()
        """Deliveries that were lost while their run goes on, and whose message was received again since."""
        self.releases = Tasks(context.failure)
        """Messages that are being given back."""

    def __iter__(self) -> Iterator[InFlightMessage]:
        return (message for message in self._by_id.values() if message.phase is not LEAVING)

    def find(self, envelope: Envelope) -> InFlightMessage | None:
        """The message of this delivery, if it is in flight already."""
        message = self._by_id.get(envelope.id)
        return None if message is None or message.lost or message.phase is LEAVING else message

    def add(self, message: InFlightMessage) -> None:
        """A message was received."""
        if earlier := self._by_id.get(message.envelope.id):
            self._replaced.add(earlier)
        self._by_id[message.envelope.id] = message
        self.permits.held += 1
        self.permits.bodies.add(message.size)

    # Messages leave because their work is done.

    def delete_later(self, run: Run, then: Callable[[], None], *, urgent: bool) -> None:
        """Delete the messages of a run without waiting, so that its slot is free for the next run.

        Args:
            run: its work is durable.
            then: called when all deletes have ended; perhaps at once.
            urgent: whether something waits for that.
        """
        messages = self._to_delete(run)
        self.permits.settling += len(messages)

        def done() -> None:
            self.permits.settling -= len(messages)
            self._deleted(run)
            then()

        if messages:
            self._settlement.submit(messages, done, urgent=urgent)
        else:
            done()

    def _deleted(self, run: Run) -> None:
        for lane, part in run.parts:
            gone = [message for message in part if message.phase is SETTLING and not message.lost]
            for message in gone:
                self.remove(message, DELETED)
            if len(gone) < len(part):
                self._lanes.put_back(lane, [message for message in part if message not in gone])
                self.drop_lost(lane)

    def _to_delete(self, run: Run) -> list[InFlightMessage]:
        """The messages of a run to delete: in each lane, all before the first one whose lease is over."""
        now = asyncio.get_running_loop().time()
        kept: list[InFlightMessage] = []
        for _, part in run.parts:
            for message in part:
                if message.lost or message.deadline <= now:
                    message.lease_lost()  # the lease keeper may not have noticed yet
                    break
                message.settling()
                kept.append(message)
        return kept

    # Messages leave although their work is not done.

    async def dead_letter(self, lane: Lane, message: InFlightMessage) -> None:
        """Send the dead letter of a message, then delete the message.  May raise anything."""
        # From here the dead letter is not cancelled: if a send in progress were abandoned, the next consumer
        # would send a second copy.
        message.settling()
        await self._dead_letter_sender.send(message)
        await self._settlement.delete([message], urgent=True)
        if message.lost:
            self._lanes.put_back(lane, [message])
            self.drop_lost(lane)
        else:
            self.remove(message, SettledOutcome.DEAD_LETTERED)

    def drop_lost(self, lane: Lane) -> None:
        """Forget the lost messages of a lane, and give back all behind the first: none may overtake it."""
        first = next((message for message in lane.waiting if message.lost), None)
        if first is None:
            return
        behind = self._lanes.cut(lane, first)
        for message in behind:
            if message.lost:
                self.remove(message, SettledOutcome.LEASE_LOST)
        self.release([message for message in behind if not message.lost])

    def release(self, messages: Iterable[InFlightMessage], seconds: float = 0.0) -> None:
        """Give messages back, in their order; with `seconds`, the first stays hidden that long."""
        leaving = list(messages)
        for message in leaving:
            message.leaving()
        if leaving:
            self.releases.start(self._give_back(leaving, seconds), f"release to {self._context.name}")

    async def _give_back(self, messages: list[InFlightMessage], seconds: float) -> None:
        for message in messages:
            await self._dead_letter_sender.notify_on_last_receive(message)
        stuck = await self._settlement.release(messages[1:] if seconds else messages)
        if seconds:
            stuck += await self._settlement.release(messages[:1], seconds)
        for message in messages:
            self.remove(message, SettledOutcome.HIDDEN if message in stuck else SettledOutcome.RELEASED)

    def abandon(self) -> None:
        """Leave everything that is still here to its lease."""
        self.releases.cancel()
        for message in (*self._replaced, *self._by_id.values()):
            self.remove(message, SettledOutcome.HIDDEN)

    def remove(self, message: InFlightMessage, outcome: SettledOutcome) -> None:
        """A message is not in flight any more."""
        context = self._context
        # A newer delivery of the same message may have taken its place: that one stays.
        if self._by_id.get(message.envelope.id) is message:
            del self._by_id[message.envelope.id]
        self._replaced.discard(message)
        if message.histories or message.waits_for:
            context.dependencies.forget_message(message)
        self.permits.held -= 1
        self.permits.bodies.remove(message.size)
        self.permits.changed()
        now = asyncio.get_running_loop().time()
        described = context.route.describe(message.decoded) if message.decoded is not None else {}
        context.observe(
            Settled(
                context.name,
                message.envelope,
                outcome,
                reason=message.dead_letter_reason or "",
                error=message.error,
                cause=message.cause,
                attempts=message.attempts + (outcome is DELETED),
                held_seconds=now - message.received,
                lease_left=max(message.deadline - now, 0.0),
                work_seconds=message.work_seconds,
                facts={**described, **message.facts},
            )
        )
