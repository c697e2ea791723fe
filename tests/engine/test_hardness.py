"""Moments at which an engine could lose a message, its patience or its end."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.charges import Rules
from orca_daemon.engine.errors import DependencyDown, SourceError, SourceErrorKind, StuckError
from orca_daemon.engine.events import Attempted
from orca_daemon.engine.in_flight_message import END_MARGIN, STOPPING
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.engine.source import EntryOutcome
from tests.engine.rig import Rig, down, on_virtual_time

LONGEST = 1200.0
"""Stands for SQS's twelve hours."""


def test_a_handler_whose_own_task_was_cancelled_has_failed_and_is_tried_again() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")

        async def handle(_: str) -> None:
            if len(rig.handled) == 1:
                raise asyncio.CancelledError  # of something that it waited for

        await rig.live(rig.engine(handle), 30.0)
        assert rig.settled() == [("a", "deleted")]

    on_virtual_time(story())


def test_a_supervised_task_that_is_cancelled_by_others_ends_the_engine() -> None:
    async def story() -> None:
        rig = Rig()

        async def side() -> None:
            raise asyncio.CancelledError

        with pytest.raises(RuntimeError, match="side"):
            await rig.live(rig.engine(_nothing), 30.0, side=side())

    on_virtual_time(story())


def test_a_supervised_task_that_does_not_end_cannot_hold_up_the_end() -> None:
    async def story() -> None:
        rig = Rig()
        engine = rig.engine(_nothing)
        began = asyncio.get_running_loop().time()
        await rig.live(engine, 30.0, side=_deaf(3600.0))
        assert asyncio.get_running_loop().time() - began < 60

    on_virtual_time(story())


def test_a_dependency_that_the_route_does_not_name_is_waited_for_all_the_same() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")

        async def handle(_: str) -> None:
            raise DependencyDown("other")

        await rig.live(rig.engine(handle, probes={"other": down}), 600.0)
        assert 10 < len(rig.handled) < 300
        assert rig.settled() == [("a", "released")]

    on_virtual_time(story())


def test_the_end_of_a_delivery_after_twelve_hours_is_no_attempt() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")

        async def handle(_: str) -> None:
            await asyncio.sleep(LONGEST if len(rig.handled) == 1 else 8)

        rules = Rules(longest_lease=LONGEST, longest_wait=LONGEST - 300.0)
        engine = rig.engine(handle, rules=rules, max_attempts=1, time_limit=2 * LONGEST)
        await rig.live(engine, 2 * LONGEST)
        attempted = [(one.outcome, round(one.seconds)) for one in rig.events if isinstance(one, Attempted)]
        assert attempted == [("ended", LONGEST - END_MARGIN - STOPPING), ("done", 8)]
        assert rig.settled() == [("a", "released"), ("a", "deleted")]

    on_virtual_time(story())


def test_what_waits_is_given_back_only_when_no_poll_can_take_it_again() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.send(*"abcde")

        async def handle(_: str) -> None:
            await asyncio.sleep(8)

        # The work of b ends in the middle of the last poll.
        await rig.live(rig.engine(handle, options=ConsumerOptions(pollers=1, wait=10.0)), 12.0)
        assert max(one.receive_count for one in rig.queue.messages()) == 1

    on_virtual_time(story())


def test_messages_that_could_not_be_given_back_are_reported_as_unfinished() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.send("a", "b")

        async def handle(_: str) -> None:
            await asyncio.sleep(20)

        async def hide(_: Sequence[Envelope], seconds: float) -> Sequence[EntryOutcome]:
            if not seconds:
                await asyncio.sleep(1000)
            raise SourceError(SourceErrorKind.UNAVAILABLE, "no answer")

        rig.meddle(hide=hide)
        drained = await rig.live(rig.engine(handle), 10.0)
        assert drained.unfinished == 1

    on_virtual_time(story())


def test_dead_lettering_that_fails_is_not_repeated_at_once_whatever_the_route_s_backoff() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")

        async def handle(_: str) -> None:
            raise ValueError

        async def send_dead_letter(_: Envelope, evidence: Mapping[str, object]) -> None:
            raise SourceError(SourceErrorKind.UNAVAILABLE, str(evidence["reason"]))

        rig.meddle(send_dead_letter=send_dead_letter)
        await rig.live(rig.engine(handle, backoff=Backoff(base=0.0)), 600.0)
        assert 5 < rig.failures("dead_letter") < 200
        assert rig.settled() == [("a", "released")]

    on_virtual_time(story())


def test_a_notification_that_hangs_is_ended_and_reported() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")
        calls: list[str] = []

        async def handle(_: str) -> None:
            raise ValueError

        async def gave_up(_: str | None, __: Envelope, reason: str, /) -> None:
            calls.append(reason)
            if len(calls) < 3:
                await asyncio.Event().wait()

        engine = rig.engine(handle, gave_up=gave_up, max_attempts=1, time_limit=11 * 3600.0)
        await rig.live(engine, 3600.0)
        assert rig.settled() == [("a", "dead_lettered")]
        assert rig.failures("gave_up") == 2

    on_virtual_time(story())


def test_gave_up_succeeds_once_however_often_dead_lettering_fails() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")
        calls: list[str] = []
        send_dead_letter, refusals = rig.source.send_dead_letter, 5

        async def refuse(envelope: Envelope, evidence: Mapping[str, object]) -> None:
            nonlocal refusals
            if refusals:
                refusals -= 1
                raise SourceError(SourceErrorKind.UNAVAILABLE, "no answer")
            await send_dead_letter(envelope, evidence)

        async def handle(_: str) -> None:
            raise ValueError

        async def gave_up(_: str | None, __: Envelope, reason: str, /) -> None:
            calls.append(reason)

        rig.meddle(send_dead_letter=refuse)
        await rig.live(rig.engine(handle, gave_up=gave_up, max_attempts=1), 600.0)
        assert rig.settled() == [("a", "dead_lettered")]
        assert (rig.failures("dead_letter"), len(calls)) == (5, 1)

    on_virtual_time(story())


def test_work_that_was_out_of_time_and_then_lost_its_lease_is_not_dead_lettered() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")

        async def handle(_: str) -> None:
            try:
                await asyncio.sleep(1e6)
            finally:
                await asyncio.sleep(8)  # to clean up

        async def hide(*_: object) -> Sequence[EntryOutcome]:
            raise SourceError(SourceErrorKind.UNAVAILABLE, "no answer")

        rig.meddle(hide=hide)
        engine = rig.engine(
            handle, max_attempts=1, time_limit=10.0, options=ConsumerOptions(lease=15.0, pollers=1, wait=1.0)
        )
        await rig.live(engine, 25.0)
        assert rig.settled()[0] == ("a", "lease_lost")
        assert not rig.dead.messages()

    on_virtual_time(story())


def test_an_error_of_work_that_was_stopped_is_charged_to_nobody() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")

        async def handle(_: str) -> None:
            try:
                await asyncio.sleep(1e6)
            except asyncio.CancelledError:
                raise ValueError from None

        await rig.live(rig.engine(handle, max_attempts=1), 5.0)
        attempted = [one for one in rig.events if isinstance(one, Attempted)]
        assert [one.outcome for one in attempted] == ["drained"]
        assert rig.settled() == [("a", "released")]

    on_virtual_time(story())


def test_a_dead_letter_that_is_under_way_when_time_is_up_is_sent_once() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")
        send_dead_letter = rig.source.send_dead_letter

        async def slow(envelope: Envelope, evidence: Mapping[str, object]) -> None:
            await send_dead_letter(envelope, evidence)
            await asyncio.sleep(3)

        async def handle(_: str) -> None:
            raise ValueError

        rig.meddle(send_dead_letter=slow)
        await rig.live(rig.engine(handle, max_attempts=1, drain_seconds=1.0), 1.0)
        assert rig.settled() == [("a", "dead_lettered")]
        assert len(rig.dead.messages()) == 1
        assert not rig.queue.messages()

    on_virtual_time(story())


def test_work_that_cannot_be_cancelled_ends_the_engine() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")
        engine = rig.engine(lambda _: _deaf(3600.0), time_limit=10.0)
        with pytest.raises(StuckError, match="queue does not stop"):
            await rig.live(engine, 600.0)
        assert asyncio.get_running_loop().time() < 30
        assert rig.settled() == []
        assert [one.receive_count for one in rig.queue.messages()] == [1]

    on_virtual_time(story())


def test_work_that_does_not_stop_in_a_drain_is_left_hidden() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")
        engine = rig.engine(lambda _: _deaf(3600.0), drain_seconds=5.0)
        drained = await rig.live(engine, 10.0)
        assert drained.unfinished == 1
        assert rig.settled() == [("a", "hidden")]
        assert rig.queue.counts() == (0, 1, 0)

    on_virtual_time(story())


async def _nothing(_: str) -> None:
    return


async def _deaf(seconds: float) -> None:
    until = asyncio.get_running_loop().time() + seconds
    while (left := until - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
