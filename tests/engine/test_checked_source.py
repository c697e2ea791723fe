"""A queue that answers what it likes: nothing is lost, nothing ends the process, and it is heard of."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from orca_daemon.engine.events import Extended, Polled
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.engine.source import EntryOutcome
from tests.engine.rig import Rig, on_virtual_time

LYING = 200.0
"""Seconds for which the queue lies."""
SHORT = ConsumerOptions(pollers=1, wait=1.0, lease=30.0)

Lie = Callable[[Sequence[Any]], object]


def shouted(_: Sequence[Any]) -> object:
    raise KeyError("Successful")


def cancelled(_: Sequence[Any]) -> object:
    raise asyncio.CancelledError  # of another call, with which this one shared a connection


LIES: dict[str, Lie] = {
    "nothing": lambda _: None,
    "a page": lambda _: "<html>",
    "a number": lambda _: 7,
    "an object": lambda _: {"Successful": []},
    "too few": lambda entries: [EntryOutcome.DONE] * (len(entries) - 1),
    "too many": lambda entries: [EntryOutcome.DONE] * (len(entries) + 1),
    "other things": lambda entries: ["done"] * len(entries),
    "an error of its own": shouted,
    "a cancellation": cancelled,
}
"""Answers to a call for a batch; to a receive, those that are no list of messages."""


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("call", ["delete", "hide"])
def test_an_answer_to_a_batch_that_is_none_is_asked_for_again(call: str, lie: Lie) -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.send("a", "b", "c")
        honest = getattr(rig.source, call)

        async def lying(envelopes: Sequence[Envelope], *more: float) -> object:
            if asyncio.get_running_loop().time() < LYING:
                return lie(envelopes)
            return await honest(envelopes, *more)

        async def handle(_: str) -> None:
            await asyncio.sleep(20)

        rig.meddle(**{call: lying})
        await rig.live(rig.engine(handle, options=SHORT), 2 * LYING)
        assert not rig.queue.messages()
        assert not rig.dead.messages()
        heard = sum(isinstance(one, Extended) and one.outcome == "failed" for one in rig.events)
        assert rig.failures("delete") or heard

    on_virtual_time(story())


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(lambda _: None, id="nothing"),
        pytest.param(lambda _: "<html>", id="a page"),
        pytest.param(lambda _: [None], id="something else"),
        pytest.param(lambda got: [*got, {"MessageId": "x"}], id="a message that is none among others"),
        pytest.param(
            lambda got: [replace(one, id=got[0].id) for one in got] if len(got) > 1 else None,
            id="two messages under one id",
        ),
        pytest.param(shouted, id="an error of its own"),
        pytest.param(cancelled, id="a cancellation"),
    ],
)
@pytest.mark.parametrize("fifo", [True, False], ids=["fifo", "standard"])
def test_an_answer_to_a_receive_that_is_none_is_an_error_with_a_pause(lie: Lie, *, fifo: bool) -> None:
    async def story() -> None:
        rig = Rig(fifo=fifo)
        rig.send("a", "b", "c")
        receive, calls = rig.source.receive, 0

        async def lying(limit: int, **more: Any) -> object:
            nonlocal calls
            calls += 1
            got = await receive(limit, **more)
            return lie(got) if asyncio.get_running_loop().time() < LYING else got

        rig.meddle(receive=lying)
        await rig.live(rig.engine(_nothing, options=SHORT), 2 * LYING)
        assert sorted(body for body, outcome in rig.settled() if outcome == "deleted") == ["a", "b", "c"]
        polls = [one for one in rig.events if isinstance(one, Polled)]
        assert any(one.outcome == "error" and one.reason for one in polls)
        assert calls < 4 * LYING

    on_virtual_time(story())


def test_a_message_that_an_answer_holds_twice_is_worked_once() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send(*"abcde")
        receive = rig.source.receive

        async def doubling(limit: int, **more: Any) -> Sequence[Envelope]:
            got = await receive(limit, **more)
            return [*got, *got]

        rig.meddle(receive=doubling)
        await rig.live(rig.engine(_nothing, options=SHORT), 30.0)
        assert sorted(rig.settled()) == [(body, "deleted") for body in "abcde"]
        assert sorted(body for _, body in rig.handled) == list("abcde")

    on_virtual_time(story())


def test_another_message_under_the_id_of_one_in_flight_is_not_taken_for_it() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.send("first", group="g")
        receive, ids = rig.source.receive, list[str]()

        async def confusing(limit: int, **more: Any) -> Sequence[Envelope]:
            got = await receive(limit, **more)
            ids.extend(one.id for one in got)
            lying = asyncio.get_running_loop().time() < 15
            return [replace(one, id=ids[0]) if one.body == "second" and lying else one for one in got]

        async def handle(_: str) -> None:
            await asyncio.sleep(20)

        async def send() -> None:
            await asyncio.sleep(5)
            rig.send("second", "third", group="h")
            await asyncio.Event().wait()

        rig.meddle(receive=confusing)
        await rig.live(rig.engine(handle, options=SHORT), 120.0, side=send())
        assert [body for _, body in rig.handled] == ["first", "second", "third"]
        assert rig.settled() == [
            ("second", "hidden"),
            ("third", "hidden"),
            ("first", "deleted"),
            ("second", "deleted"),
            ("third", "deleted"),
        ]

    on_virtual_time(story())


def test_an_answer_that_was_long_under_way_does_not_bring_an_old_receipt_back() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")
        receive, kept = rig.source.receive, list[Envelope]()

        async def late(limit: int, **more: Any) -> Sequence[Envelope]:
            got = await receive(limit, **more)
            kept.extend(got)
            if len(kept) == 1:
                rig.queue.double(kept[0].id)
                return await receive(limit, **more)
            return got or kept[:1]

        async def handle(_: str) -> None:
            await asyncio.sleep(5)

        rig.meddle(receive=late)
        await rig.live(rig.engine(handle, options=ConsumerOptions(pollers=1, wait=1.0)), 10.0)
        assert not rig.queue.messages()

    on_virtual_time(story())


async def _nothing(_: str) -> None:
    return
