"""The end of a delivery: nothing waits past twelve hours, and the last time is nobody else's loss."""

import asyncio

from orca_daemon.engine.errors import DependencyDown, NotYet
from orca_daemon.engine.events import Attempted, Settled
from orca_daemon.engine.memory import Redrive
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.queue_context import ConsumerOptions
from tests.engine.rig import Rig, down, on_virtual_time

HOUR = 3600.0
POLLED = ConsumerOptions(pollers=1, wait=10.0, concurrency=10)


def now() -> float:
    return asyncio.get_running_loop().time()


def rig_with(receives: int) -> Rig:
    """A FIFO queue whose messages may be received so often."""
    rig = Rig(fifo=True)
    rig.queue.redrive = Redrive(rig.dead, receives)
    return rig


def left(rig: Rig, body: str) -> list[tuple[str, str, int]]:
    return [
        (one.outcome, one.cause or "", one.envelope.receive_count)
        for one in rig.events
        if isinstance(one, Settled) and one.envelope.body == body
    ]


def test_on_its_last_receive_a_message_that_waits_is_dead_lettered_and_those_behind_it_go_on() -> None:
    async def story() -> None:
        rig = rig_with(2)
        rig.send("waits", "behind it", "and this")
        reported: list[str] = []

        async def gave_up(_: str | None, __: Envelope, reason: str, /) -> None:
            reported.append(reason)

        async def handle(body: str) -> None:
            if body == "waits":
                raise NotYet("SlowDown")

        await rig.live(rig.engine(handle, gave_up=gave_up, options=POLLED), 24 * HOUR)
        assert left(rig, "waits") == [("released", "", 1), ("dead_lettered", "unproven", 2)]
        assert left(rig, "behind it") == [("released", "", 1), ("deleted", "", 2)]
        assert left(rig, "and this") == [("released", "", 1), ("deleted", "", 2)]
        assert reported == ["it was not done in the last delivery that its queue allows"]
        assert [one.body for one in rig.dead.messages()] == ["waits"]

    on_virtual_time(story())


def test_the_reason_says_what_it_waited_for() -> None:
    async def story() -> None:
        rig = rig_with(1)
        rig.send("a", group="a")
        rig.send("b", group="b")

        async def handle(_: str) -> None:
            raise DependencyDown("store", "500", place="write there")

        await rig.live(rig.engine(handle, options=POLLED), 12 * HOUR)
        reasons = {one.reason for one in rig.events if isinstance(one, Settled)}
        assert reasons == {
            "it was not done in the last delivery that its queue allows: it waited for write there"
        }

    on_virtual_time(story())


def test_what_is_being_worked_is_cut_short_and_given_back_in_time() -> None:
    async def story() -> None:
        rig = rig_with(5)
        rig.send("endless", "behind it")

        async def handle(body: str) -> None:
            if body == "endless" and len(rig.handled) == 1:
                await asyncio.sleep(20 * HOUR)

        await rig.live(rig.engine(handle, options=POLLED, time_limit=20 * HOUR), 13 * HOUR)
        ended = [one.seconds for one in rig.events if isinstance(one, Attempted) and one.outcome == "ended"]
        assert len(ended) == 1
        assert 11.9 * HOUR < ended[0] < 12 * HOUR
        assert left(rig, "endless") == [("released", "", 1), ("deleted", "", 2)]
        assert left(rig, "behind it") == [("released", "", 1), ("deleted", "", 2)]

    on_virtual_time(story())


def test_work_that_outlasts_its_last_delivery_is_dead_lettered_before_that_ends() -> None:
    async def story() -> None:
        rig = rig_with(1)
        rig.send("endless", "behind it")

        async def handle(body: str) -> None:
            if body == "endless":
                await asyncio.sleep(20 * HOUR)

        await rig.live(rig.engine(handle, options=POLLED, time_limit=20 * HOUR), 13 * HOUR)
        assert left(rig, "endless") == [("dead_lettered", "unproven", 1)]
        assert left(rig, "behind it") == [("deleted", "", 1)]

    on_virtual_time(story())


def test_while_the_database_is_down_what_waits_is_given_back_in_order() -> None:
    async def story() -> None:
        rig = rig_with(5)
        rig.send("a", "b", "c")

        async def handle(_: str) -> None:
            if now() < 14 * HOUR:
                raise DependencyDown("base")

        async def probe() -> None:
            if now() < 14 * HOUR:
                await down()

        engine = rig.engine(handle, options=POLLED, probes={"base": probe}, needs=frozenset({"base"}))
        await rig.live(engine, 15 * HOUR)
        assert [body for body, outcome in rig.settled() if outcome == "deleted"] == ["a", "b", "c"]
        assert max(one.receive_count for one in rig.events_of_leaving()) == 2
        assert "lease_lost" not in {outcome for _, outcome in rig.settled()}

    on_virtual_time(story())


def test_what_cannot_be_dead_lettered_is_left_to_sqs_alone_and_those_behind_it_go_on() -> None:
    async def story() -> None:
        rig = rig_with(1)
        rig.send("bad", "behind it")

        async def handle(body: str) -> None:
            if body == "bad":
                raise ValueError

        async def send_dead_letter(*_: object) -> None:
            raise ConnectionError

        rig.meddle(send_dead_letter=send_dead_letter)
        await rig.live(rig.engine(handle, options=POLLED, max_attempts=1), 12 * HOUR)
        assert left(rig, "bad") == [("released", "attempts", 1)]
        assert left(rig, "behind it") == [("deleted", "", 1)]
        assert [one.body for one in rig.dead.messages()] == ["bad"]  # by SQS itself

    on_virtual_time(story())
