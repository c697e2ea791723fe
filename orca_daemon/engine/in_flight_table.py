"""How messages leave one queue's hands: deleted, given back, lost."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any

from orca_daemon.engine.dead_letter_sender import DeadLetterSender
from orca_daemon.engine.dependencies import Dependencies
from orca_daemon.engine.events import Observer, Settled
from orca_daemon.engine.in_flight_message import InFlightMessage, Phase
from orca_daemon.engine.lanes import Lane, Lanes, Run
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.permits import Permits
from orca_daemon.engine.route import Route
from orca_daemon.engine.settlement import Settlement


class InFlightTable:
    """The messages in hand of one queue, by id, until each has left."""

    def __init__(
        self,
        queue: str,
        route: Route[Any],
        lanes: Lanes,
        permits: Permits,
        settlement: Settlement,
        dead_letter_sender: DeadLetterSender,
        *,
        dependencies: Dependencies,
        max_receives: int | None,
        observe: Observer,
    ) -> None:
        self._queue = queue
        self._route = route
        self._lanes = lanes
        self._permits = permits
        self._settlement = settlement
        self._dead_letter_sender = dead_letter_sender
        self._dependencies = dependencies
        self._max_receives = max_receives
        self._observe = observe
        self._by_id: dict[str, InFlightMessage] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_fault: Callable[[BaseException], None] = lambda _: None

    def __iter__(self) -> Iterator[InFlightMessage]:
        return (held for held in self._by_id.values() if held.phase is not Phase.LEAVING)

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """Departures under way."""
        return self._tasks

    def find(self, envelope: Envelope) -> InFlightMessage | None:
        """The message of this delivery, if it is in hand already."""
        held = self._by_id.get(envelope.id)
        return None if held is None or held.lost or held.phase is Phase.LEAVING else held

    def add(self, held: InFlightMessage) -> None:
        """A message is in hand."""
        self._by_id[held.envelope.id] = held
        self._permits.held += 1

    async def delete(self, run: Run) -> None:
        """Delete what is durable: of each lane, all before the first message whose lease was lost."""
        await self._settlement.delete(_settling(run), urgent=True)
        self._deleted(run)

    def delete_later(self, run: Run) -> None:
        """Delete without anybody waiting for it: the slot works on meanwhile."""
        messages = _settling(run)
        self._permits.settling += len(messages)

        def done() -> None:
            self._permits.settling -= len(messages)
            self._deleted(run)

        if messages:
            self._settlement.submit(messages, done)
        else:
            done()

    def _deleted(self, run: Run) -> None:
        for lane, part in run.parts:
            gone = [held for held in part if held.phase is Phase.SETTLING and not held.lost]
            for held in gone:
                self.remove(held, "deleted")
            if len(gone) < len(part):
                self._lanes.put_back(lane, [held for held in part if held not in gone])
                self.drop_lost(lane)

    async def dead_letter(self, lane: Lane, held: InFlightMessage) -> None:
        """Dead-letter one message that was announced: copied, then deleted.  May raise anything."""
        # Not cancelled from here on: a copy that is under way would be sent again by the next in line.
        held.phase = Phase.SETTLING
        await self._dead_letter_sender.send(held)
        await self._settlement.delete([held], urgent=True)
        if held.lost:
            self._lanes.put_back(lane, [held])
            self.drop_lost(lane)
        else:
            self.remove(held, "dead_lettered")

    def drop_lost(self, lane: Lane) -> None:
        """Nothing may run before a lost message of its lane: forget it, and give back what is behind it."""
        first = next((held for held in lane.waiting if held.lost), None)
        if first is None:
            return
        behind = self._lanes.cut(lane, first)
        for held in behind:
            if held.lost:
                self.remove(held, "lease_lost")
        self.release([held for held in behind if not held.lost])

    def release(self, messages: Iterable[InFlightMessage], seconds: float = 0.0) -> None:
        """Give messages back, in their order; with `seconds`, the first stays hidden that long."""
        leaving = list(messages)
        for held in leaving:
            held.phase = Phase.LEAVING
        if leaving:
            self._later(self._give_back(leaving, seconds))

    async def _give_back(self, messages: list[InFlightMessage], seconds: float) -> None:
        for held in messages:
            await self._dead_letter_sender.notify_on_last_receive(held, self._max_receives)
        stuck = await self._settlement.release(messages[1:] if seconds else messages)
        if seconds:
            stuck += await self._settlement.release(messages[:1], seconds)
        for held in messages:
            self.remove(held, "hidden" if held in stuck else "released")

    def abandon(self) -> None:
        """Everything that is still here is left to its lease."""
        for task in self._tasks:
            task.cancel()
        for held in list(self._by_id.values()):
            self.remove(held, "hidden")

    def remove(self, held: InFlightMessage, outcome: str) -> None:
        """A message is no longer in hand."""
        if self._by_id.get(held.envelope.id) is held:
            del self._by_id[held.envelope.id]
        if held.histories or held.waits_for:
            self._dependencies.forget_message(held)
        self._permits.held -= 1
        self._permits.changed()
        now = asyncio.get_running_loop().time()
        self._observe(
            Settled(
                self._queue,
                held.envelope,
                outcome,
                reason=held.dead_letter_reason or "",
                error=held.error if held.dead_letter_reason is not None else "",
                cause=held.cause if held.dead_letter_reason is not None else "",
                attempts=held.attempts + (outcome == "deleted"),
                held_seconds=now - held.received,
                lease_left=max(held.deadline - now, 0.0),
                work_seconds=held.work_seconds,
                facts={
                    **(self._route.describe(held.message) if held.message is not None else {}),
                    **held.facts,
                },
            )
        )

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.on_fault(error)


def _settling(run: Run) -> list[InFlightMessage]:
    """The messages to delete: of each lane those before the first whose lease was lost."""
    kept: list[InFlightMessage] = []
    for _, part in run.parts:
        for held in part:
            if held.lost:
                break
            held.phase = Phase.SETTLING
            kept.append(held)
    return kept
