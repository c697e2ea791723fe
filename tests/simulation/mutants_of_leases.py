"""The engine broken on purpose in what it does with deliveries: kept, lost, delivered again, given back."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import inf
from typing import Any
from unittest.mock import patch

from orca_daemon.engine import lease_keeper, poller
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.consumer import Consumer
from orca_daemon.engine.dead_letter_sender import DeadLetterSender
from orca_daemon.engine.dispatcher import Dispatcher
from orca_daemon.engine.events import SettledOutcome
from orca_daemon.engine.expiry import Expiry
from orca_daemon.engine.in_flight_message import InFlightMessage, Phase
from orca_daemon.engine.in_flight_table import InFlightTable
from orca_daemon.engine.lanes import Run
from orca_daemon.engine.lease_keeper import LeaseKeeper
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.settlement import Settlement
from tests.simulation.mutant import breaks


@breaks("i18_work_stops_with_its_lease")
def work_on_after_the_lease_is_lost() -> AbstractContextManager[object]:
    """Take no notice of a lost lease while the work goes on."""
    lost = Consumer.lost

    def _lost(self: Consumer, message: InFlightMessage) -> None:
        if message.phase is not Phase.RUNNING:
            lost(self, message)

    return patch.object(Consumer, "lost", _lost)


@breaks("i19_leases_are_kept")
def keep_no_lease_while_settling() -> AbstractContextManager[object]:
    """Let the lease run out while a delete is tried again."""

    def in_flight(self: Consumer) -> Iterator[InFlightMessage]:
        return (message for message in self._in_flight if message.phase is not Phase.SETTLING)

    return patch.object(Consumer, "in_flight", in_flight)


@breaks("i19_leases_are_kept")
def ask_once_for_an_extension() -> AbstractContextManager[object]:
    """Never ask again for an extension that failed."""
    return patch.object(lease_keeper, "RETRY", 1e9)


@breaks("i19_leases_are_kept")
def extend_at_the_last_moment() -> AbstractContextManager[object]:
    """Extend a lease when nine tenths of it are over."""

    def lease_extended(self: InFlightMessage, since: float, seconds: float) -> None:
        self.deadline = since + seconds
        self.extend_at = since + 0.9 * seconds

    return patch.object(InFlightMessage, "lease_extended", lease_extended)


@breaks("i20_lost_only_if_lost")
def redelivery_renews_no_lease() -> AbstractContextManager[object]:
    """Take the receipt of a newer delivery, and go on counting the lease of the older one."""

    def received_again(self: InFlightMessage, envelope: Envelope, *_: float) -> None:
        self.envelope = envelope
        self.lost = False

    return patch.object(InFlightMessage, "received_again", received_again)


@breaks("i19_leases_are_kept")
def old_delivery_takes_the_new_one_along() -> AbstractContextManager[object]:
    """Forget a message by its id when a delivery of it has left, although it came again meanwhile."""
    left = InFlightTable.remove

    def _left(self: InFlightTable, message: InFlightMessage, outcome: SettledOutcome) -> None:
        self._by_id.pop(message.envelope.id, None)
        left(self, message, outcome)

    return patch.object(InFlightTable, "remove", _left)


@breaks("i20_lost_only_if_lost")
def believe_answers_for_older_receipts() -> AbstractContextManager[object]:
    """Take the refusal of an older receipt for that of the newer one."""
    ended = LeaseKeeper._ended

    def _ended(self: LeaseKeeper, *arguments: Any, **_: bool) -> None:
        ended(self, *arguments, stale=False)

    return patch.object(LeaseKeeper, "_ended", _ended)


@breaks("i11_drain")
def start_runs_while_closing() -> AbstractContextManager[object]:
    """Begin what waits although the engine is to stop."""
    return patch.object(Dispatcher, "closed", property(lambda _: False, lambda *_: None), create=True)


@breaks("i22_given_back")
def give_back_once() -> AbstractContextManager[object]:
    """Never try again to give back what was refused."""
    each = Settlement._each

    def _each(self: Settlement, *arguments: Any, tries: int | None, **more: Any) -> Any:
        return each(self, *arguments, tries=tries and 1, **more)

    return patch.object(Settlement, "_each", _each)


@breaks("i21_given_back_in_order")
def give_back_head_first() -> AbstractContextManager[object]:
    """Make the head of a group visible before its followers.

    On SQS itself that changes no order: while a follower is in flight, nothing of its group is delivered
    (AWS: FIFO delivery logic).  It costs receives of one message each, and queues that only resemble SQS may
    deliver a follower that is already visible, if its head went out again in between.
    """
    release = Settlement.release

    async def _release(
        self: Settlement, messages: Sequence[InFlightMessage], seconds: float = 0.0
    ) -> list[InFlightMessage]:
        return await release(self, list(reversed(messages)), seconds)

    return patch.object(Settlement, "release", _release)


@breaks("i5_deletes_in_order")
def delete_behind_a_lost_message() -> AbstractContextManager[object]:
    """Delete what is durable, whether or not a message before it in its group was lost."""

    def to_delete(_: InFlightTable, run: Run) -> list[InFlightMessage]:
        kept = [message for message in run.messages if not message.lost]
        for message in kept:
            message.settling()
        return kept

    def settleable(messages: Sequence[InFlightMessage], now: float) -> Iterator[InFlightMessage]:
        return (message for message in messages if not message.lost and message.deadline > now)

    @contextmanager
    def both() -> Iterator[None]:
        with (
            patch.object(InFlightTable, "_to_delete", to_delete),
            patch("orca_daemon.engine.settlement._settleable", settleable),
        ):
            yield

    return both()


@breaks("i3_group_order")
def redelivery_during_a_give_back_is_a_duplicate() -> AbstractContextManager[object]:
    """Take a message that came again while it is given back for one that is in flight."""

    def find(self: InFlightTable, envelope: Envelope) -> InFlightMessage | None:
        message = self._by_id.get(envelope.id)
        return None if message is None or message.lost else message

    return patch.object(InFlightTable, "find", find)


@breaks("i11_drain")
def wait_for_ever_for_a_receive() -> AbstractContextManager[object]:
    """Wait for the answer to a receive, however long that takes."""
    return patch.object(poller, "WATCHDOG", 1e9)


@breaks("i23_notified_on_the_last_receive")
def skip_the_notification_of_the_last_receive_at_once() -> AbstractContextManager[object]:
    """Give back in the middle of the work what SQS will move, without a word."""
    return _silent_where(lambda in_flight: not in_flight.closing)


@breaks("i23_notified_on_the_last_receive")
def skip_the_notification_of_the_last_receive_in_the_drain() -> AbstractContextManager[object]:
    """Give back at the end what SQS will move, without a word."""
    return _silent_where(lambda in_flight: in_flight.closing)


class _Closing:
    """Whether the queue whose messages are given back is closing; the engine runs one in the simulation."""

    closing = False


def _silent_where(where: Callable[[type[_Closing]], bool]) -> AbstractContextManager[object]:
    notify_on_last_receive, close = DeadLetterSender.notify_on_last_receive, Consumer.close

    async def _last_receive(self: DeadLetterSender, message: InFlightMessage) -> None:
        if not where(_Closing):
            await notify_on_last_receive(self, message)

    def _close(self: Consumer) -> None:
        _Closing.closing = True
        close(self)

    init = Consumer.__init__

    def _init(self: Consumer, *arguments: Any, **more: Any) -> None:
        _Closing.closing = False
        init(self, *arguments, **more)

    @contextmanager
    def all_of_it() -> Iterator[None]:
        with (
            patch.object(DeadLetterSender, "notify_on_last_receive", _last_receive),
            patch.object(Consumer, "close", _close),
            patch.object(Consumer, "__init__", _init),
        ):
            yield

    return all_of_it()


@breaks("i24_dead_letters_have_reasons")
def dead_letter_without_a_reason() -> AbstractContextManager[object]:
    """Send dead letters that say everything but why."""
    evidence = DeadLetterSender.evidence

    def _evidence(self: DeadLetterSender, message: InFlightMessage, now: float) -> Mapping[str, object]:
        return {name: value for name, value in evidence(self, message, now).items() if name != "reason"}

    return patch.object(DeadLetterSender, "evidence", _evidence)


@breaks("i26_pauses")
def retry_without_a_pause() -> AbstractContextManager[object]:
    """Try again at once what failed."""
    give_back = Dispatcher._return

    def _return(self: Dispatcher, run: Run, _: float = 0.0) -> None:
        give_back(self, run)

    return patch.object(Dispatcher, "_return", _return)


@breaks("i26_pauses")
def poll_again_without_a_pause() -> AbstractContextManager[object]:
    """Ask again at once after a receive that was refused."""
    return patch.object(poller, "POLL_BACKOFF", Backoff(base=0.0, floor=0.0))


@breaks("i26_pauses")
def ask_an_empty_queue_again_at_once() -> AbstractContextManager[object]:
    """Rely on long polls, which not every queue has at every time."""
    return patch.object(poller.Poller, "_rest", lambda *_, **__: 0.0)


@breaks("i12_no_silent_death")
def believe_every_answer() -> AbstractContextManager[object]:
    """Look at no answer of the queue before it is used."""

    async def _answer(call: Callable[[], Awaitable[Any]]) -> Any:
        return await call()

    @contextmanager
    def both() -> Iterator[None]:
        with (
            patch("orca_daemon.engine.checked_source._answer", _answer),
            patch("orca_daemon.engine.checked_source._only", lambda _, answer: answer),
        ):
            yield

    return both()


@breaks("i25_twelve_hours")
def wait_past_twelve_hours() -> AbstractContextManager[object]:
    """Keep what waits until the queue takes it away."""
    return patch.object(Expiry, "_is_due", lambda *_, **__: False)


@breaks("i25_twelve_hours")
def work_past_twelve_hours() -> AbstractContextManager[object]:
    """Let an attempt go on until the queue takes its message away."""
    begin = Run.begin

    def _begin(self: Run, now: float, limit: float, _: float) -> None:
        begin(self, now, limit, inf)

    return patch.object(Run, "begin", _begin)


@breaks("i13_poison_hurts_nobody")
def leave_the_last_receive_to_sqs() -> AbstractContextManager[object]:
    """Give back what waits also on its last receive: SQS moves it, and all that was received as often."""
    init = Expiry.__init__

    def _init(self: Expiry, *arguments: Any) -> None:
        init(self, *arguments)
        self._is_last = lambda envelope: False  # noqa: ARG005  the name is part of the type

    return patch.object(Expiry, "__init__", _init)
