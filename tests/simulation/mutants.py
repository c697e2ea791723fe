"""The engine broken on purpose, one promise at a time: the simulation must see each of these."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from math import inf
from typing import Any
from unittest.mock import patch

from orca_daemon.engine.body_budget import BodyBudget
from orca_daemon.engine.consumer import Consumer
from orca_daemon.engine.dead_letter_sender import DeadLetterSender
from orca_daemon.engine.dependencies import Dependencies
from orca_daemon.engine.dispatcher import Dispatcher
from orca_daemon.engine.engine import Engine
from orca_daemon.engine.events import Cause, Event, PollOutcome, Settled, SettledOutcome
from orca_daemon.engine.in_flight_message import InFlightMessage, Phase
from orca_daemon.engine.in_flight_table import InFlightTable, Permits
from orca_daemon.engine.lanes import Lane, Lanes, Run
from orca_daemon.engine.lease_keeper import LeasedQueue, LeaseKeeper
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.places import Succeeded
from orca_daemon.engine.poller import Poller, ReceiveAttempt
from orca_daemon.engine.queue_context import QueueContext
from orca_daemon.engine.run_executor import RunExecutor
from orca_daemon.engine.settlement import Settlement
from orca_daemon.engine.source import EntryOutcome
from orca_daemon.engine.tasks import Tasks
from orca_daemon.engine.verdict import Decision, Next
from tests.simulation import mutants_of_leases, mutants_of_turns, mutants_of_waiting
from tests.simulation.mutant import MUTANTS, Mutant, breaks

__all__ = ["MUTANTS", "Mutant", "mutants_of_leases", "mutants_of_turns", "mutants_of_waiting"]


@breaks("i2_effect_before_delete")
def acknowledge_before_commit() -> AbstractContextManager[object]:
    """Delete first, work afterwards."""
    execute = RunExecutor.execute

    async def _execute(self: RunExecutor, run: Run) -> None:
        await self._context.source.delete([message.envelope for message in run.messages][:10])
        await execute(self, run)

    return patch.object(RunExecutor, "execute", _execute)


@breaks("i11_drain")
def release_before_joining_pollers() -> AbstractContextManager[object]:
    """Give back what waits while a poll is still under way, which may receive it again."""
    drain = Engine._drain

    async def _drain(self: Engine, pollers: Sequence[asyncio.Task[None]]) -> Any:
        for consumer in self.consumers:
            consumer.release_waiting()
        return await drain(self, pollers)

    return patch.object(Engine, "_drain", _drain)


@breaks("i9_permits")
def drop_a_permit() -> AbstractContextManager[object]:
    """Forget to give back what was reserved for a receive that brought nothing."""
    give_back = Permits.give_back

    def _give_back(self: Permits, count: int) -> None:
        give_back(self, count if count > 1 else 0)

    return patch.object(Permits, "give_back", _give_back)


@breaks("i1_nothing_is_lost")
def park_for_ever() -> AbstractContextManager[object]:
    """Never come back to what waits for its next attempt."""
    return patch.object(Dispatcher, "_unpark", lambda *_: None)


@breaks("i6_one_receive_each")
def keep_only_what_is_at_work() -> AbstractContextManager[object]:
    """Extend no lease of a message that waits."""

    def in_flight(self: Consumer) -> Iterable[InFlightMessage]:
        return (message for message in self._in_flight if message.phase is Phase.RUNNING)

    return patch.object(Consumer, "in_flight", in_flight)


@breaks("i3_group_order")
def retry_behind_the_followers() -> AbstractContextManager[object]:
    """Put a message that failed at the end of its lane."""

    def put_back(self: Lanes, lane: Lane, messages: Iterable[InFlightMessage], *, park: bool = False) -> None:
        for message in messages:
            message.returned()
            lane.waiting.append(message)
        if park and lane.waiting:
            lane.parked = True
            self.parked += len(lane.waiting)

    return patch.object(Lanes, "put_back", put_back)


@breaks("i5_deletes_in_order")
def go_on_before_the_delete_is_confirmed() -> AbstractContextManager[object]:
    """Start the next run of a group while the delete of the last is under way."""
    delete_later = InFlightTable.delete_later

    def delete(self: InFlightTable, run: Run, then: Callable[[], None], *, urgent: bool) -> None:
        run.settling = False
        delete_later(self, run, then, urgent=urgent)

    return patch.object(InFlightTable, "delete_later", delete)


@breaks("i2_effect_before_delete")
def delete_without_a_dead_letter() -> AbstractContextManager[object]:
    """Delete what is rejected, as some consumers do."""

    async def send(*_: object) -> None:
        return

    return patch.object(DeadLetterSender, "send", send)


@breaks("i7_no_collateral")
def blame_the_whole_run() -> AbstractContextManager[object]:
    """Dead-letter every message of a run in which one was bad."""
    apply = RunExecutor._apply

    async def _apply(self: RunExecutor, run: Run, decision: Decision, error: BaseException | None) -> None:
        if decision.next not in {Next.SPLIT, Next.RETRY, Next.DEAD_LETTER}:
            await apply(self, run, decision, error)
            return
        for message in run.messages:
            message.give_up("guilty by association", "Reject", Cause.REJECTED)
        self._give_back(run, 0.0)

    return patch.object(RunExecutor, "_apply", _apply)


@breaks("i8_no_settlement_after_loss")
def settle_after_the_lease() -> AbstractContextManager[object]:
    """Ask for the delete of a message whose lease is known to be lost, in the hope that it works."""
    left = InFlightTable.remove

    def _left(self: InFlightTable, message: InFlightMessage, outcome: SettledOutcome) -> None:
        left(self, message, outcome)
        if outcome is SettledOutcome.LEASE_LOST:
            message.lost, message.deadline = False, inf
            self._settlement.submit([message], lambda: None)

    return patch.object(InFlightTable, "remove", _left)


@breaks("i11_drain")
def abandon_the_poll_on_stop() -> AbstractContextManager[object]:
    """Cancel the outstanding receive when told to stop."""
    drain = Engine._drain

    async def _drain(self: Engine, pollers: Sequence[asyncio.Task[None]]) -> Any:
        for poller in pollers:
            poller.cancel()
        return await drain(self, pollers)

    @contextmanager
    def both() -> Iterator[None]:
        with (
            patch.object(Engine, "_drain", _drain),
            patch.object(Tasks, "_supervised_ended", lambda *_: None),
        ):
            yield

    return both()


@breaks("i15_truth")
def believe_partial_failures() -> AbstractContextManager[object]:
    """Take a batch for done when some of its entries failed."""
    once = Settlement._once

    async def _once(
        self: Settlement, call: Callable[..., Any], messages: Sequence[InFlightMessage]
    ) -> tuple[dict[InFlightMessage, EntryOutcome], str]:
        ends, reason = await once(self, call, messages)
        return dict.fromkeys(ends, EntryOutcome.DONE), reason

    return patch.object(Settlement, "_once", _once)


@breaks("i10_bounded")
def receive_without_room() -> AbstractContextManager[object]:
    """Ask for ten messages whatever there is room for."""

    def reserve(self: Permits) -> int:
        self.reserved += 10
        return 10

    return patch.object(Permits, "reserve", reserve)


@breaks("i10_bounded")
def count_no_bytes() -> AbstractContextManager[object]:
    """Receive as if bodies had no size."""
    return patch.object(BodyBudget, "add", lambda *_: None)


@breaks("i14_no_storm")
def poll_through_an_outage() -> AbstractContextManager[object]:
    """Go on receiving, and working, while the dependency is down."""
    return patch.object(Dependencies, "blocked", lambda *_: False)


@breaks("i12_no_silent_death")
def die_quietly() -> AbstractContextManager[object]:
    """Let the poller end at its first error."""

    async def _answer(self: Poller, asked: int, attempt: ReceiveAttempt) -> Sequence[Envelope] | None:
        return await self._poll(asked, attempt)

    return patch.object(Poller, "_answer", _answer)


@breaks("i4_single_flight")
def split_a_group_in_two() -> AbstractContextManager[object]:
    """Give every message a lane of its own."""
    return patch.object(QueueContext, "lane_of", lambda _, envelope: envelope.id)


@breaks("i16_announced")
def dead_letter_without_notification() -> AbstractContextManager[object]:
    """Set a message aside although nobody could be told."""
    notify = DeadLetterSender.notify

    async def _notify(self: DeadLetterSender, message: InFlightMessage, *listener: Succeeded) -> None:
        with suppress(ConnectionError):
            await notify(self, message, *listener)

    return patch.object(DeadLetterSender, "notify", _notify)


@breaks("i11_drain")
def give_back_during_the_last_poll() -> AbstractContextManager[object]:
    """Give back what waits behind a run as soon as it ends in a drain."""
    return patch.object(
        Dispatcher, "_emptying", property(lambda self: self._closed, lambda *_: None), create=True
    )


@breaks("i17_pause")
def poll_while_paused() -> AbstractContextManager[object]:
    """Take no notice of the operator."""
    return patch.object(Consumer, "set_paused", lambda *_, **__: None)


@breaks("i6_one_receive_each")
def keep_leases_by_the_wall_clock() -> AbstractContextManager[object]:
    """Measure leases by a clock that others set."""
    look = LeaseKeeper._check_queue

    def _check_queue(self: LeaseKeeper, queue: LeasedQueue, _: float) -> None:
        look(self, queue, time.time())

    return patch.object(LeaseKeeper, "_check_queue", _check_queue)


@breaks("i15_truth")
def say_that_all_is_well() -> AbstractContextManager[object]:
    """Report every poll as a success."""
    failed = Poller._failed

    def _failed(self: Poller, outcome: PollOutcome, reason: str) -> None:
        self.last_success = self.moved
        failed(self, outcome, reason)

    return patch.object(Poller, "_failed", _failed)


@breaks("i9_permits")
def forget_what_was_parked() -> AbstractContextManager[object]:
    """Leave messages counted as parked when they are not any more."""

    def unpark(self: Lanes, lane: Lane) -> None:
        lane.parked = False
        self._offer(lane)

    return patch.object(Lanes, "unpark", unpark)


@breaks("i15_truth")
def leave_without_a_trace() -> AbstractContextManager[object]:
    """Drop a message whose lease was lost, and tell nobody."""
    left = InFlightTable.remove

    def _left(self: InFlightTable, message: InFlightMessage, outcome: SettledOutcome) -> None:
        context, observe = self._context, self._context.observe

        def silent(event: Event) -> None:
            if not isinstance(event, Settled):
                observe(event)

        if outcome is SettledOutcome.LEASE_LOST:
            self._context = replace(context, observe=silent)
        left(self, message, outcome)
        self._context = context

    return patch.object(InFlightTable, "remove", _left)
