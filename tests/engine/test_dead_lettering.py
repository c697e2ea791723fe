"""The end of a message can be given up, too: nothing waits for ever, and nobody else pays for it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from orca_daemon.engine.charges import Rules
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused
from orca_daemon.engine.events import NotificationAbandoned, Settled
from orca_daemon.engine.evidence import NAME
from orca_daemon.engine.memory import QueueOptions, Redrive
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.queue_context import ConsumerOptions
from tests.engine.rig import Rig, down, on_virtual_time

GaveUp = Callable[[str | None, Envelope, str], Awaitable[None]]
HOUR = 3600.0


async def fail(_: str) -> None:
    raise ValueError


def telling(*errors: BaseException, until: float = 0.0) -> GaveUp:
    """A `gave_up` that raises these in turn, the last one for ever, or until then."""
    left = list(errors)

    async def gave_up(_: str | None, __: Envelope, ___: str, /) -> None:
        if until and asyncio.get_running_loop().time() >= until:
            return
        raise left.pop(0) if len(left) > 1 else left[0]

    return gave_up


def evidence(rig: Rig) -> dict[str, Any]:
    [letter] = rig.dead.messages()
    reported: dict[str, Any] = json.loads(str(letter.attributes[NAME]["StringValue"]))
    return reported


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), TimeoutError(), Refused("store", "denied", place="write b")],
    ids=["a bug", "no end", "denied"],
)
def test_a_notification_that_fails_for_its_own_reasons_is_given_up_after_five_attempts(
    error: Exception,
) -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.send("bad", "behind it")

        async def handle(body: str) -> None:
            if body == "bad":
                raise ValueError

        await rig.live(rig.engine(handle, gave_up=telling(error), max_attempts=1), HOUR)
        assert rig.settled() == [("bad", "dead_lettered"), ("behind it", "deleted")]
        assert rig.failures("gave_up") == 5
        [abandoned] = [one for one in rig.events if isinstance(one, NotificationAbandoned)]
        reported = evidence(rig)
        assert reported["reason"].startswith("an unexpected ValueError at ")
        assert reported["gave_up"] == abandoned.reason
        [left] = [one for one in rig.events if isinstance(one, Settled) and one.envelope.body == "bad"]
        assert 60 < left.held_seconds < 240

    on_virtual_time(story())


def test_a_notification_waits_for_a_dependency_like_the_work() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("bad")
        unreachable = DependencyDown("store", "500", place="write b")
        gave_up = telling(DependencyDown("base"), NotYet("throttled"), unreachable, until=6 * HOUR)
        engine = rig.engine(
            fail,
            gave_up=gave_up,
            max_attempts=1,
            probes={"base": _answers},
            rules=Rules(patience=7 * HOUR),
        )
        await rig.live(engine, 7 * HOUR)
        assert rig.settled() == [("bad", "dead_lettered")]
        assert "gave_up" not in evidence(rig)
        assert not any(isinstance(one, NotificationAbandoned) for one in rig.events)
        assert rig.failures("gave_up") > 100

    on_virtual_time(story())


def test_a_notification_that_fails_alone_at_a_place_is_given_up_when_patience_ends() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("bad")
        error = DependencyDown("store", "500", place="write b")
        await rig.live(rig.engine(fail, gave_up=telling(error), max_attempts=1), 5 * HOUR)
        assert rig.settled() == [("bad", "dead_lettered")]
        assert evidence(rig)["gave_up"] == "store is down: 500"

    on_virtual_time(story())


def test_while_the_database_is_down_a_notification_is_not_given_up() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("bad")
        engine = rig.engine(
            fail,
            gave_up=telling(DependencyDown("base")),
            max_attempts=1,
            probes={"base": down},
            needs=frozenset({"base"}),
        )
        await rig.live(engine, 10 * HOUR)
        assert rig.settled() == [("bad", "released")]
        assert rig.failures("gave_up") == 1

    on_virtual_time(story())


def test_a_dead_letter_that_its_queue_will_never_take_holds_up_nobody() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.dead.change(QueueOptions(fifo=True, max_size=1000))
        rig.queue.redrive = Redrive(rig.dead, 6)
        rig.send("large" * 1000, *(f"behind it {number}" for number in range(4)))
        reported: list[str] = []

        async def gave_up(_: str | None, __: Envelope, reason: str, /) -> None:
            reported.append(reason)

        async def handle(body: str) -> None:
            if body.startswith("large"):
                raise ValueError

        async def send() -> None:
            await asyncio.sleep(2)
            rig.send("sent later")
            await asyncio.Event().wait()

        engine = rig.engine(
            handle,
            gave_up=gave_up,
            max_attempts=1,
            options=ConsumerOptions(pollers=1, wait=1.0, concurrency=10),
        )
        await rig.live(engine, HOUR, side=send())
        done = [one for one in rig.events if isinstance(one, Settled) and one.outcome == "deleted"]
        assert [one.envelope.body for one in done] == [
            *(f"behind it {number}" for number in range(4)),
            "sent later",
        ]
        assert {one.envelope.receive_count for one in done} == {1}
        # In the end SQS moves it by itself, and nobody else with it.
        assert [one.body[:5] for one in rig.dead.messages()] == ["large"]
        assert len(reported) == 6
        assert rig.failures("dead_letter") == 6

    on_virtual_time(story())


def test_a_dead_letter_queue_that_is_enlarged_takes_it_with_its_evidence() -> None:
    async def story() -> None:
        rig = Rig()
        rig.dead.change(QueueOptions(max_size=1000))
        rig.queue.redrive = Redrive(rig.dead, 20)
        rig.send("large" * 1000)

        async def enlarge() -> None:
            await asyncio.sleep(300)
            rig.dead.change(QueueOptions())
            await asyncio.Event().wait()

        await rig.live(rig.engine(fail, max_attempts=1), HOUR, side=enlarge())
        assert rig.settled()[-1][1] == "dead_lettered"
        assert evidence(rig)["reason"].startswith("an unexpected ValueError at ")

    on_virtual_time(story())


async def _answers() -> None:
    return
