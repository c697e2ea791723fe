"""How many requests wait for S3 at one time, as a function of its answers, and the permits for them."""

import asyncio
from collections.abc import Callable

import pytest
from types_boto3_s3 import S3Client

from orca_daemon.aws.s3copy import Copier, S3Object
from orca_daemon.aws.s3copy.permits import Permits
from orca_daemon.aws.s3copy.window import APART, Window
from tests.aws.s3copy.faulty import Fault, Faulty, operation


def rounds(window: Window, count: int) -> list[int]:
    """The sizes after each of `count` round trips in which all requests succeed."""
    sizes = []
    for _ in range(count):
        for _ in range(window.size):
            window.succeeded(window.size, 0.02, 0.0)
        sizes.append(window.size)
    return sizes


def test_it_doubles_in_a_round_trip_up_to_its_limit() -> None:
    window = Window()
    assert window.size == 32
    assert rounds(window, 4) == [64, 128, 256, 256]


def test_a_demand_to_slow_down_halves_it_and_then_it_grows_by_one() -> None:
    window = Window()
    rounds(window, 3)
    window.slow_down(0.0)
    assert window.size == 128
    assert rounds(window, 3) == [128, 129, 130]


def test_demands_of_one_moment_count_once_and_it_never_falls_below_its_least() -> None:
    window = Window()
    rounds(window, 3)
    for now in (0.0, 0.1, APART - 0.1):
        window.slow_down(now)
    assert window.size == 128
    for turn in range(1, 6):
        window.slow_down(turn * APART)
    assert window.size == 32


def test_it_does_not_grow_unless_it_is_full() -> None:
    window = Window()
    for _ in range(1000):
        window.succeeded(window.size - 1, 0.02, 0.0)
    assert window.size == 32


def test_it_does_not_grow_if_responses_wait_for_this_process() -> None:
    window = Window()
    for _ in range(1000):
        window.succeeded(window.size, 0.02, 0.01)
    assert window.size == 32
    window.succeeded(window.size, 0.02, 0.009)
    assert window.size == 33


@pytest.mark.parametrize(
    ("limit", "sizes"), [(4, (4, 4)), (40, (32, 40)), (1000, (32, 1000)), (None, (32, 256))]
)
def test_a_setting_is_a_hard_limit(limit: int | None, sizes: tuple[int, int]) -> None:
    window = Window.up_to(limit)
    least = window.size
    assert (least, rounds(window, 20)[-1]) == sizes


def test_whatever_happens_it_keeps_to_its_limits() -> None:
    window = Window(2, 9)
    for step in range(10_000):
        if step * 7919 % 13 == 0:
            window.slow_down(step * 0.3)
        else:
            window.succeeded(step % 12, 0.02, step % 3 * 0.01)
        assert 2 <= window.size <= 9


async def test_permits_are_given_in_order_and_as_many_as_the_window_has_room_for() -> None:
    window, begun = Window(2, 4), list[int]()
    permits, ends = Permits(window), [asyncio.Event() for _ in range(6)]

    async def work(number: int) -> None:
        async with permits.one():
            begun.append(number)
            await ends[number].wait()

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(work(number)) for number in range(6)]
        await asyncio.sleep(0)
        assert begun == [0, 1]
        window.succeeded(2, 0.02, 0.0)
        ends[0].set()
        await running[0]
        await asyncio.sleep(0)
        assert begun == [0, 1, 2, 3]
        window.slow_down(0.0)
        ends[1].set()
        await running[1]
        await asyncio.sleep(0)
        assert begun == [0, 1, 2, 3]
        for end in ends:
            end.set()
    assert begun == [0, 1, 2, 3, 4, 5]
    assert permits.used == 0


@pytest.mark.parametrize("given", [True, False], ids=["given", "not given"])
async def test_a_cancelled_task_keeps_no_permit(given: bool) -> None:  # noqa: FBT001  a parameter of the test
    permits = Permits(Window(1, 1))

    async def work() -> None:
        async with permits.one():
            await asyncio.sleep(0)

    async with permits.one():
        cancelled, other = asyncio.create_task(work()), asyncio.create_task(work())
        await asyncio.sleep(0)
        if not given:
            cancelled.cancel()
    cancelled.cancel()  # if it was given the permit, it has not run since
    await asyncio.wait({cancelled, other})
    assert cancelled.cancelled()
    assert (permits.used, len(permits._waiting)) == (0, 0)


@pytest.mark.parametrize("name", ["HeadObject", "CopyObject"])
async def test_a_slow_down_of_s3_halves_the_window_of_a_copier(
    s3: S3Client, bucket: Callable[[], str], copier: Callable[..., Copier], faulty: Faulty, name: str
) -> None:
    source, target = S3Object(bucket(), "k"), S3Object(bucket(), "k")
    s3.put_object(Bucket=source.bucket, Key=source.key, Body=b"x")
    shared = copier()
    rounds(shared.requests.window, 3)
    faulty.fail(Fault(operation(name), 503, "SlowDown", times=1))
    await shared.copy(source, target, first=True)
    assert shared.requests.window.size == 128
