"""One queue: what each of SQS's calls does to its messages."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orca_daemon.engine.memory import admission
from orca_daemon.engine.memory.content import check
from orca_daemon.engine.memory.deduplication import Deduplication
from orca_daemon.engine.memory.deliveries import Deliveries
from orca_daemon.engine.memory.errors import RequestRefusedError
from orca_daemon.engine.memory.frozen import freeze, thaw
from orca_daemon.engine.memory.options import QueueOptions
from orca_daemon.engine.memory.polls import Polls
from orca_daemon.engine.memory.receipts import Receipts
from orca_daemon.engine.memory.record import Record, Recorder
from orca_daemon.engine.memory.replays import Replays
from orca_daemon.engine.memory.shelf import Shelf
from orca_daemon.engine.memory.stored import Received, SentMessage, State, Stored
from orca_daemon.engine.size import Attributes


@dataclass(frozen=True, slots=True)
class Redrive:
    """Where a message goes instead of to a receiver, once it was received `max_receives` times."""

    target: "MemoryQueue"
    max_receives: int


class MemoryQueue:
    """A standard or FIFO queue.  All of it runs on one event loop; only `receive` waits.

    `clock` returns seconds since the epoch.  Nothing happens by itself: leases, delays and retention are
    looked at when the queue is called, and by a timer of the running loop while a long poll waits.  Every
    call may raise `RequestRefusedError`.
    """

    def __init__(
        self,
        name: str,
        options: QueueOptions,
        *,
        clock: Callable[[], float],
        rng: random.Random | None = None,
        record: Record | None = None,
    ) -> None:
        self.name = name
        self.options = options
        self.redrive: Redrive | None = None
        self.deleted = False
        self._clock = clock
        self._rng = rng or random.SystemRandom()
        self._sequence = 0
        recorder = Recorder(name, record)
        self._record = recorder.record
        self._record_sent = recorder.record_sent
        self._receipts = Receipts(f"{self._rng.getrandbits(48):012x}")
        self._shelf = Shelf(fifo=options.fifo, record=recorder.record)
        self._deliveries = Deliveries(self._shelf, self._receipts, recorder, options)
        self._deduplication = Deduplication()
        self._replays = Replays()
        self._polls = Polls(clock, self._look_ahead)

    def send(
        self,
        body: str,
        *,
        attributes: Attributes | None = None,
        group: str | None = None,
        deduplication_id: str | None = None,
        delay: float | None = None,
        trace: str | None = None,
    ) -> SentMessage:
        """Store a message, or find that the same was sent less than five minutes ago."""
        now = self._now()
        attributes = attributes or {}
        check(body, attributes, self.options.max_size)
        delay = admission.delay(self.options, delay)
        key = admission.deduplication_id(self.options, body, group, deduplication_id)
        scope = (group or "") if self.options.deduplication_per_group else ""
        if key is not None and (known := self._deduplication.find(scope, key, now)):
            self._record_sent(now, "deduplicated", known, group)
            return known
        message = Stored(
            id=self._new_id(),
            sequence=self._next(),
            body=body,
            attributes=attributes,
            group=group,
            deduplication_id=key,
            trace=trace,
            sent_at=now,
        )
        sent = SentMessage(message.id, message.sequence)
        if key is not None:
            self._deduplication.add(scope, key, sent, now)
        self._record(now, "sent", message)
        self._shelf.add(message, delayed_until=now + delay if delay else None)
        self._polls.arm()
        return sent

    async def receive(
        self,
        limit: int = 1,
        *,
        wait: float | None = None,
        visibility: float | None = None,
        attempt_id: str | None = None,
    ) -> list[Received]:
        """Up to `limit` messages; waits `wait` seconds at most for the first.

        Cancelled, it takes nothing with it.  SQS does not promise that; the daemon does not rely on it.
        """
        until = self._clock() + admission.wait(self.options, wait)
        while True:
            taken = self.take(limit, visibility=visibility, attempt_id=attempt_id)
            if taken or self._clock() >= until or not await self._polls.wait(until):
                return taken

    def take(
        self, limit: int = 1, *, visibility: float | None = None, attempt_id: str | None = None
    ) -> list[Received]:
        """What can be received at this moment: a receive that does not wait."""
        now = self._now()
        admission.check_receive(self.options, limit, attempt_id)
        lease = admission.lease(self.options, visibility)
        if attempt_id and (again := self._replays.find(attempt_id, now)):
            self._deliveries.repeat(again, now, lease)
            return again
        limit = min(limit, self._room())
        taken = self._deliveries.give(limit, now, lease, self._move_worn_out) if limit else []
        if taken and attempt_id:
            self._replays.remember(attempt_id, taken, now)
        self._polls.arm()
        return taken

    def _room(self) -> int:
        room = self.options.max_in_flight - self._shelf.in_flight
        if room <= 0 and not self.options.fifo:
            raise RequestRefusedError("OverLimit", "Too many messages in flight.")
        return max(room, 0)

    def delete(self, receipt: str) -> None:
        """Remove a message for ever.

        A standard queue takes the latest handle even after its lease, and answers an older one with a success
        that means nothing; a FIFO queue refuses a handle whose lease is over.
        """
        now = self._now()
        self._deliveries.delete(receipt, now)
        self._polls.arm()

    def hide(self, receipt: str, seconds: float) -> None:
        """Set what is left of a delivery's lease; 0 gives the message back."""
        now = self._now()
        admission.check_visibility(seconds)
        self._deliveries.hide(receipt, now, seconds)
        self._polls.arm()

    def _move_worn_out(self, message: Stored) -> bool:
        redrive = self.redrive
        if redrive is None or message.receive_count < redrive.max_receives or redrive.target.deleted:
            return False
        self._shelf.remove(message)
        self._record(self._clock(), "moved", message)
        redrive.target.adopt(message, came_from=self.name)
        return True

    def adopt(self, message: Stored, *, came_from: str | None = None, anew: bool = False) -> None:
        """Take a message that another queue has given up: same id, same body, its receives go on counting.

        On a standard queue its age goes on too, on a FIFO queue it begins anew (AWS: dead-letter queues).
        """
        now = self._now()
        moved = Stored(
            id=self._new_id() if anew else message.id,
            sequence=self._next(),
            body=message.body,
            attributes=message.attributes,
            group=message.group,
            deduplication_id=message.deduplication_id,
            trace=message.trace,
            sent_at=now if self.options.fifo or anew else message.sent_at,
            receive_count=0 if anew else message.receive_count,
            first_received_at=0.0 if anew else message.first_received_at,
            came_from=came_from,
        )
        self._record(now, "sent", moved)
        self._shelf.add(moved)
        self._polls.arm()

    def messages(self) -> list[Stored]:
        """Everything on the queue now, in order of arrival."""
        self._now()
        return list(self._shelf)

    def counts(self) -> tuple[int, int, int]:
        """How many messages are visible, in flight and delayed."""
        self._now()
        hidden = self._shelf.in_flight + self._shelf.delayed
        return len(self._shelf) - hidden, self._shelf.in_flight, self._shelf.delayed

    def change(self, options: QueueOptions) -> None:
        """Set new attributes; the type stays.  A FIFO queue's delay applies to what waits already, too."""
        old, self.options = self.options, options
        if options.fifo and options.delay != old.delay:
            for message in self._shelf:
                if message.state is State.DELAYED:
                    self._shelf.hide(message, message.sent_at + options.delay)
        self._polls.arm()

    def purge(self) -> None:
        """Remove all messages, also those in flight.  Their deduplication ids stay known."""
        now = self._now()
        for message in self._shelf:
            self._shelf.remove(message)
            self._record(now, "purged", message)

    def double(self, id_: str) -> bool:
        """Let a standard queue deliver a message in flight once more, as SQS does on rare occasions."""
        for message in self._shelf:
            if message.id == id_ and message.state is State.IN_FLIGHT and not self.options.fifo:
                self._record(self._clock(), "doubled", message)
                self._shelf.show(message)
                self._polls.arm()
                return True
        return False

    def hand_over(self, target: Callable[[Stored], "MemoryQueue | None"]) -> int:
        """Send every visible message to the queue that `target` names for it, and count them.

        They begin anew there: another id, no receives (AWS: StartMessageMoveTask).
        """
        now, moved = self._now(), 0
        for message in self._shelf:
            if message.state is State.VISIBLE and (to := target(message)) is not None:
                self._shelf.remove(message)
                self._record(now, "moved", message)
                to.adopt(message, anew=True)
                moved += 1
        return moved

    def freeze(self) -> dict[str, Any]:
        """All there is on the queue, as JSON values."""
        self._now()
        return {
            "sequence": self._sequence,
            "token": self._receipts.token,
            "given": self._receipts.given,
            "sends": self._deduplication.entries(),
            "messages": [freeze(each, self._shelf.hidden_until(each)) for each in self._shelf],
        }

    def thaw(self, frozen: dict[str, Any]) -> None:
        """Take up, on a new queue, what another one froze.  Attempt ids are forgotten."""
        self._sequence = frozen["sequence"]
        self._receipts.token, self._receipts.given = frozen["token"], frozen["given"]
        self._deduplication.restore([(*entry[:3], SentMessage(*entry[3])) for entry in frozen["sends"]])
        for message in frozen["messages"]:
            self._shelf.restore(*thaw(message))

    def close(self) -> None:
        """The queue is deleted; its polls end."""
        self.deleted = True
        self._polls.wake_all()

    def _now(self) -> float:
        if self.deleted:
            raise RequestRefusedError("QueueDoesNotExist", "The specified queue does not exist.")
        now = self._clock()
        self._shelf.advance(now, self.options.retention)
        return now

    def _look_ahead(self) -> float | None:
        if self.deleted:
            return None
        self._now()
        if self._shelf.ready and self._shelf.in_flight < self.options.max_in_flight:
            self._polls.wake()
        return self._shelf.next_change

    def _new_id(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence
