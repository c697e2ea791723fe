"""Hours in which a place of a dependency fails, for all or for one message: who waits, who is given up."""

import asyncio
import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.charges import Rules
from orca_daemon.engine.circuit import MOST, Places
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused
from orca_daemon.engine.events import Attempted, BreakerChanged, Event, Settled
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.places import succeeded
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.engine.source import EntryOutcome
from tests.engine.rig import Rig, on_virtual_time

HOUR = 3600.0
WRITE = "write there"
POLLED = ConsumerOptions(pollers=1, wait=10.0)
STORE = frozenset({"store"})


def fails(reason: str = "500") -> DependencyDown:
    return DependencyDown("store", reason, place=WRITE)


def works() -> None:
    succeeded("store", WRITE)


def now() -> float:
    return asyncio.get_running_loop().time()


async def stream(rig: Rig, every: float) -> None:
    """Healthy messages, for ever."""
    number = 0
    while True:
        rig.send(f"healthy {number}", group=str(number))
        number += 1
        await asyncio.sleep(every)


def dead(rig: Rig) -> list[Settled]:
    return [one for one in rig.events if isinstance(one, Settled) and one.outcome == "dead_lettered"]


def attempts(rig: Rig, name: str) -> list[float]:
    return [at for at, body in rig.handled if body == name]


def changes(rig: Rig) -> list[tuple[str, bool]]:
    return [(one.place, one.open) for one in rig.events if isinstance(one, BreakerChanged)]


def test_an_hour_in_which_writes_fail_costs_no_message_anything() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send(*(str(number) for number in range(20)))

        async def handle(_: str) -> None:
            succeeded("store", "read here")  # as on 28 February 2017: reads were back long before writes
            if now() < HOUR:
                raise fails()
            works()

        await rig.live(rig.engine(handle, options=POLLED, by_place=STORE), HOUR + 90.0)
        assert rig.settled() == [(body, "deleted") for body, _ in rig.settled()]
        assert len(rig.settled()) == 20
        assert changes(rig) == [(WRITE, True), (WRITE, False)]
        assert max(one.receive_count for one in rig.events_of_leaving()) == 1

    on_virtual_time(story())


def test_a_place_that_is_down_is_tried_by_one_message_at_a_time_and_seldom() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send(*(str(number) for number in range(40)))
        at_work = most = 0

        async def handle(_: str) -> None:
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work if now() > 150 else 0)
            await asyncio.sleep(20)
            at_work -= 1
            raise fails()

        engine = rig.engine(
            handle, options=ConsumerOptions(pollers=1, wait=10.0, concurrency=8), by_place=STORE
        )
        await rig.live(engine, HOUR)
        later = [at for at, _ in rig.handled if at > 150]
        assert most == 1
        assert 30 < len(later) < 80
        assert len({body for at, body in rig.handled if at > 150}) > 30  # they take turns
        assert not dead(rig)

    on_virtual_time(story())


def test_a_message_that_is_known_to_need_a_place_that_is_down_is_not_tried() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send(*(f"there {number}" for number in range(5)), *(f"elsewhere {number}" for number in range(5)))

        async def handle(body: str) -> None:
            place = body.partition(" ")[0]
            if place == "there" and now() < 600:
                raise DependencyDown("store", "500", place=place)
            succeeded("store", place)

        async def late() -> None:
            await asyncio.sleep(300)
            rig.send(*(f"there late {number}" for number in range(50)), "elsewhere late")
            await asyncio.Event().wait()

        engine = rig.engine(
            handle,
            options=POLLED,
            by_place=STORE,
            places=lambda body: frozenset({("store", body.partition(" ")[0])}),
        )
        await rig.live(engine, 700.0, side=late())
        assert {body for body, outcome in rig.settled() if outcome == "deleted"} == {
            body for _, body in rig.handled
        }
        assert len(rig.settled()) == 61
        early = [body for at, body in rig.handled if body.startswith("there late") and at < 600]
        assert 0 < len(early) < 15
        assert len(attempts(rig, "elsewhere late")) == 1

    on_virtual_time(story())


def test_half_of_the_operations_fail_for_an_hour_and_nothing_is_given_up() -> None:
    async def story() -> None:
        rig = Rig()
        rng = random.Random(7)

        async def handle(_: str) -> None:
            if now() < HOUR and rng.random() < 0.5:
                raise fails()
            works()

        engine = rig.engine(handle, options=POLLED, by_place=STORE, max_attempts=1)
        await rig.live(engine, HOUR + 300.0, side=stream(rig, 5.0))
        assert not dead(rig)
        assert len(rig.settled()) > 700

    on_virtual_time(story())


def test_a_message_that_fails_where_others_succeed_is_found_after_a_quarter_of_an_hour() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("bad")

        async def handle(body: str) -> None:
            if body == "bad":
                raise fails()
            works()

        engine = rig.engine(handle, options=POLLED, by_place=STORE, max_attempts=3)
        await rig.live(engine, 1500.0, side=stream(rig, 2.0))
        [end] = dead(rig)
        assert (end.envelope.body, end.cause) == ("bad", "attempts")
        assert (
            end.reason == f"{WRITE} failed {end.attempts} times in 0.3 hours, while it worked for others: 500"
        )
        assert 900 < end.held_seconds < 1050
        assert 15 < len(attempts(rig, "bad")) < 40
        assert changes(rig) == []

    on_virtual_time(story())


def test_a_message_that_fails_alone_waits_for_four_hours_and_is_then_dead_lettered_as_unproven() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.send("bad", "behind it", "and this")

        async def handle(body: str) -> None:
            if body == "bad":
                raise fails()
            works()

        await rig.live(rig.engine(handle, options=POLLED, by_place=STORE, max_attempts=1), 5 * HOUR)
        [end] = dead(rig)
        assert (end.envelope.body, end.cause) == ("bad", "unproven")
        assert end.reason.endswith("in 4.0 hours, while nobody else needed it: 500")
        assert 4 * HOUR <= end.held_seconds < 4 * HOUR + 90
        assert [body for body, _ in rig.settled()] == ["bad", "behind it", "and this"]
        assert [one.receive_count for one in rig.events_of_leaving()] == [1, 1, 1]

    on_virtual_time(story())


def test_how_long_it_waits_is_a_setting() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("bad")

        async def handle(_: str) -> None:
            raise fails()

        await rig.live(rig.engine(handle, by_place=STORE, rules=Rules(patience=600.0)), HOUR)
        [end] = dead(rig)
        assert 600 <= end.held_seconds < 690

    on_virtual_time(story())


def test_messages_that_fail_together_wait_on_and_are_given_back_in_order_before_twelve_hours_are_over() -> (
    None
):
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.send("a0", "a1", "a2", group="a")
        rig.send("b0", "b1", group="b")
        given_back: list[str] = []
        hide = rig.source.hide

        async def noted(envelopes: Sequence[Envelope], seconds: float) -> Sequence[EntryOutcome]:
            given_back.extend(one.body for one in envelopes if not seconds)
            return await hide(envelopes, seconds)

        async def handle(_: str) -> None:
            raise fails()

        rig.meddle(hide=noted)
        options = ConsumerOptions(pollers=1, wait=10.0, concurrency=10)
        await rig.live(rig.engine(handle, options=options, by_place=STORE, max_attempts=1), 11.5 * HOUR)
        assert not dead(rig)
        back = [one for one in rig.events if isinstance(one, Settled)][:5]
        assert {one.outcome for one in back} == {"released"}
        assert all(11 * HOUR <= one.held_seconds < 11 * HOUR + 60 for one in back)
        assert [body for body in given_back[:5] if body[0] == "a"] == ["a2", "a1", "a0"]
        assert {one.receive_count for one in rig.queue.messages()} == {2}

    on_virtual_time(story())


def test_throttling_is_charged_to_nobody_however_long_it_lasts() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.send("slow", "behind it")

        async def handle(body: str) -> None:
            if body == "slow" and now() < 14 * HOUR:
                raise NotYet("SlowDown")

        await rig.live(rig.engine(handle, options=POLLED, by_place=STORE, max_attempts=1), 15 * HOUR)
        assert rig.settled() == [
            ("slow", "released"),
            ("behind it", "released"),
            ("slow", "deleted"),
            ("behind it", "deleted"),
        ]

    on_virtual_time(story())


def test_a_message_that_is_refused_alone_is_given_up_like_any_that_fails() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("denied")

        async def handle(_: str) -> None:
            raise Refused("store", "AccessDenied", place=WRITE)

        await rig.live(rig.engine(handle, by_place=STORE, max_attempts=3), 60.0)
        [end] = dead(rig)
        assert (end.cause, end.reason, end.attempts) == ("attempts", "AccessDenied", 3)
        assert [one.outcome for one in rig.events if isinstance(one, Attempted)] == ["refused"] * 3

    on_virtual_time(story())


def test_a_place_that_refuses_five_messages_in_a_row_is_down_until_one_succeeds() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send(*(str(number) for number in range(30)))

        async def handle(_: str) -> None:
            if now() < HOUR:  # somebody changed a policy
                raise Refused("store", "AccessDenied", place=WRITE)
            works()

        options = ConsumerOptions(pollers=1, wait=10.0, concurrency=10)
        await rig.live(rig.engine(handle, options=options, by_place=STORE, max_attempts=2), HOUR + 90.0)
        assert {outcome for _, outcome in rig.settled()} == {"deleted"}
        assert changes(rig) == [(WRITE, True), (WRITE, False)]

    on_virtual_time(story())


def test_a_success_while_the_work_goes_on_ends_the_wait_of_others_at_once() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a", "b", "c")

        async def handle(body: str) -> None:
            if now() < 600:
                raise fails()
            works()
            if not rig.settled():
                await asyncio.sleep(HOUR)  # the first part of a large copy is there

        await rig.live(rig.engine(handle, options=POLLED, by_place=STORE, time_limit=2 * HOUR), 2 * HOUR)
        first = min(at for at, _ in rig.handled if at >= 600)
        assert [at for at, _ in rig.handled if at > first + 1] == []
        assert len(rig.settled()) == 3

    on_virtual_time(story())


def test_when_waiting_messages_use_all_permits_nothing_more_is_received() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send(*(str(number) for number in range(50)))

        async def handle(_: str) -> None:
            raise fails()

        engine = rig.engine(
            handle, options=ConsumerOptions(pollers=2, wait=1.0, held=20, concurrency=2), by_place=STORE
        )

        async def look() -> None:
            await asyncio.sleep(600)
            [queue] = engine.state().queues
            assert (queue.held, queue.waiting_for_permits) == (20, True)
            assert engine.state().places_down == {"store": (WRITE,)}
            assert engine.state().breakers == {"store": pytest.approx(1.0, abs=5.0)}
            await asyncio.Event().wait()

        await rig.live(engine, 1200.0, side=look())
        assert rig.queue.counts() == (50, 0, 0)

    on_virtual_time(story())


def test_a_place_that_no_message_needs_any_more_is_not_reported_as_down() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a", "b", "c")

        async def handle(_: str) -> None:
            if now() < 100:
                raise fails()
            raise ValueError

        engine = rig.engine(handle, by_place=STORE, max_attempts=1)
        await rig.live(engine, 600.0)
        assert len(dead(rig)) == 3
        assert engine.state().breakers == {"store": None}
        assert changes(rig) == [(WRITE, True), (WRITE, False)]

    on_virtual_time(story())


def test_a_message_that_needs_two_places_that_are_down_gets_its_turn() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send(*(f"read {n}" for n in range(4)), *(f"write {n}" for n in range(4)), "both")

        def needed(body: str) -> frozenset[tuple[str, str]]:
            kinds = ("read", "write") if body == "both" else (body.partition(" ")[0],)
            return frozenset(("store", kind) for kind in kinds)

        async def handle(body: str) -> None:
            for _, place in sorted(needed(body)):
                if now() < HOUR:
                    raise DependencyDown("store", "500", place=place)
                succeeded("store", place)

        options = ConsumerOptions(pollers=1, wait=10.0, concurrency=8)
        await rig.live(rig.engine(handle, options=options, by_place=STORE, places=needed), HOUR + 90.0)
        assert len(attempts(rig, "both")) > 2
        assert {outcome for _, outcome in rig.settled()} == {"deleted"}

    on_virtual_time(story())


def test_a_trial_without_a_result_comes_behind_the_others() -> None:
    async def story() -> None:
        places, key = Places(Rules(), observe=lambda _: None, rng=random.Random(1)), ("store", WRITE)
        for message in ("a", "b", "c"):
            places.failed(message, key, "500")
        woken: list[str] = []

        def waits(message: str, *, tried: bool) -> None:
            def wake() -> bool:
                woken.append(message)
                return True

            places.wait(places.down[key], message, wake, tried=tried)

        waits("hangs", tried=False)
        waits("a", tried=True)
        await asyncio.sleep(HOUR)
        places.tried("hangs")
        waits("hangs", tried=False)
        await asyncio.sleep(HOUR)
        assert woken == ["hangs", "a"]

    on_virtual_time(story())


def test_of_a_merged_run_only_the_messages_that_need_the_place_wait() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)

        async def handle(body: str) -> None:
            if body.startswith("there") and now() < 600:
                raise fails()
            if body.startswith("there"):
                works()

        def needed(body: str) -> frozenset[tuple[str, str]]:
            return frozenset({("store", WRITE)} if body.startswith("there") else ())

        async def send() -> None:
            for number in range(4):
                rig.send(f"there {number}", group=f"first-{number}")
            await asyncio.sleep(60)
            for number in range(6):
                rig.send(f"{'there' if number % 2 else 'elsewhere'} late {number}", group=str(number))
            await asyncio.Event().wait()

        engine = rig.engine(handle, options=POLLED, by_place=STORE, places=needed, batch=10, merge=True)
        await rig.live(engine, 700.0, side=send())
        assert {outcome for _, outcome in rig.settled()} == {"deleted"}
        assert len(rig.settled()) == 10
        assert [body for body, _ in rig.settled()][:3] == [f"elsewhere late {number}" for number in (0, 2, 4)]

    on_virtual_time(story())


def test_the_pauses_grow_to_a_minute() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("bad")

        async def handle(_: str) -> None:
            raise fails()

        await rig.live(rig.engine(handle, by_place=STORE), HOUR)
        pauses = [later - earlier for earlier, later in pairwise(attempts(rig, "bad"))]
        assert 30 <= min(pauses[10:]) <= max(pauses) <= 61
        assert pauses[0] < 2

    on_virtual_time(story())


def test_a_failure_elsewhere_after_a_success_clears_a_message_of_its_past() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("odd")

        async def handle(body: str) -> None:
            if body == "odd" and len(attempts(rig, "odd")) % 2:
                raise fails()
            works()
            if body == "odd":
                raise DependencyDown("store", "500", place="read here")

        engine = rig.engine(handle, options=POLLED, by_place=STORE, max_attempts=1)
        await rig.live(engine, HOUR, side=stream(rig, 2.0))
        assert not dead(rig)

    on_virtual_time(story())


def test_the_table_of_places_is_bounded() -> None:
    async def story() -> None:
        events: list[Event] = []
        places = Places(Rules(), observe=events.append, rng=random.Random(1))
        for number in range(3 * MOST):
            places.failed("a", ("store", str(number)), "500")
        assert len(places) == MOST
        for number in range(MOST):
            for message in "abc":
                places.failed(message, ("store", f"down {number}"), "500")
        assert len(places.down) == MOST
        assert not places.failed("a", ("store", "one too many"), "500").open
        places.succeeded("a", ("store", "down 0"))
        assert len(places) == MOST - 1

    on_virtual_time(story())


def test_a_message_that_is_woken_by_a_success_may_forget_the_place() -> None:
    async def story() -> None:
        places, key = Places(Rules(), observe=lambda _: None, rng=random.Random(1)), ("store", WRITE)
        for message in ("a", "b", "c"):
            places.failed(message, key, "500")

        def leave() -> bool:
            for message in ("a", "b", "c"):
                places.forget(key, message)
            return False

        places.wait(places.down[key], "b", leave, tried=True)
        places.succeeded("d", key)
        assert (len(places), places.down) == (0, {})

    on_virtual_time(story())


async def answers() -> None:
    """A probe of something that answers."""


def test_a_message_that_breaks_its_connection_each_time_is_found_in_a_single_group() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.send("before", "bad", "behind it", "and this")

        async def handle(body: str) -> None:
            if body == "bad":
                raise DependencyDown("base", "the connection was lost")

        engine = rig.engine(
            handle,
            options=POLLED,
            probes={"base": answers},
            needs=frozenset({"base"}),
            batch=10,
            max_attempts=3,
        )
        await rig.live(engine, 1500.0)
        [end] = dead(rig)
        assert (end.envelope.body, end.cause) == ("bad", "attempts")
        assert 900 < end.held_seconds < 1100
        assert 15 < len(attempts(rig, "bad")) < 40
        assert [body for body, _ in rig.settled()] == ["before", "bad", "behind it", "and this"]

    on_virtual_time(story())


def test_while_probes_fail_now_and_then_nobody_is_charged() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        rig.send("a", "b")
        rng = random.Random(3)

        async def flapping() -> None:
            if now() < 3 * HOUR and rng.random() < 0.3:
                raise ConnectionError

        async def handle(_: str) -> None:
            if now() < 3 * HOUR:
                raise DependencyDown("base", "the connection was lost")

        engine = rig.engine(
            handle, options=POLLED, probes={"base": flapping}, needs=frozenset({"base"}), max_attempts=1
        )
        await rig.live(engine, 3 * HOUR + 120.0)
        assert rig.settled() == [("a", "deleted"), ("b", "deleted")]

    on_virtual_time(story())


def test_a_dependency_is_probed_only_while_something_is_wrong() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("a")
        probed: list[float] = []

        async def probe() -> None:
            probed.append(now())

        async def handle(_: str) -> None:
            if now() < 120:
                raise DependencyDown("base", "the connection was lost")

        engine = rig.engine(
            handle, probes={"base": probe}, needs=frozenset({"base"}), backoff=Backoff(base=1.0)
        )
        await rig.live(engine, 2 * HOUR)
        assert 10 < len(probed) < 40
        assert max(probed) < 300

    on_virtual_time(story())
