"""Bytes of bodies in flight: receives stop at the limit, and a message larger than it is received alone."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.engine.body_budget import BodyBudget
from orca_daemon.engine.queue_context import ConsumerOptions
from tests.engine.rig import Rig, on_virtual_time

LARGE = 200_000


def test_a_thousand_large_messages_stay_within_the_limit_and_are_all_worked() -> None:
    limit = 50 * LARGE

    async def story() -> None:
        rig = Rig(fifo=True)
        for number in range(1000):
            rig.send(f"{number:0{LARGE}}", group=str(number))
        held: list[int] = []

        async def handle(_: str) -> None:
            held.append(engine.state().queues[0].bytes_held)
            await asyncio.sleep(0.1)

        options = ConsumerOptions(pollers=4, wait=1.0, concurrency=1000, held=1000, held_bytes=limit)
        engine = rig.engine(handle, options=options)
        await rig.live(engine, 60.0)
        assert len(rig.settled()) == 1000
        assert limit // 2 < max(held) <= limit
        assert engine.state().queues[0].bytes_held == 0

    on_virtual_time(story())


def test_messages_larger_than_the_limit_are_worked_one_after_another() -> None:
    async def story() -> None:
        rig = Rig()
        for number in range(30):
            rig.send(f"{number:0{LARGE}}")
        held: list[int] = []

        async def handle(_: str) -> None:
            held.append(engine.consumers[0].permits.held)
            await asyncio.sleep(0.1)

        options = ConsumerOptions(pollers=4, wait=1.0, concurrency=10, held_bytes=LARGE // 2)
        engine = rig.engine(handle, options=options)
        await rig.live(engine, 60.0)
        assert len(rig.settled()) == 30
        assert set(held[10:]) == {1}  # the size was unknown before the first receive

    on_virtual_time(story())


def test_full_of_bytes_is_said_in_the_state() -> None:
    async def story() -> None:
        rig = Rig()
        rig.send("x" * LARGE, "y" * LARGE)

        async def handle(_: str) -> None:
            await asyncio.sleep(3)

        options = ConsumerOptions(pollers=1, wait=1.0, concurrency=10, held_bytes=LARGE)
        engine = rig.engine(handle, options=options)
        running = asyncio.create_task(engine.run())
        await asyncio.sleep(2.5)
        state = engine.state().queues[0]
        assert (state.bytes_held, state.permits_free, state.waiting_for_permits) == (2 * LARGE, 0, True)
        engine.stop()
        await running

    on_virtual_time(story())


@given(
    limit=st.integers(1, 10_000),
    sizes=st.lists(st.integers(0, 2_000), max_size=60),
    reserved=st.integers(0, 40),
)
def test_an_empty_queue_may_always_receive(limit: int, sizes: list[int], reserved: int) -> None:
    budget = BodyBudget(limit)
    for size in sizes:
        budget.add(size)
    full = [budget.full(reserved, 10) for _ in sizes[:1] if budget.held >= limit]
    for size in sizes:
        budget.remove(size)
    assert full in ([], [True])
    assert budget.held == 0
    assert not budget.full(0, 10)
    assert budget.fits(0) >= 1
