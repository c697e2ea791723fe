"""Long polls of a queue in memory, on the clock of the event loop."""

import asyncio
from asyncio import get_running_loop
from typing import Any

import pytest

from orca_daemon.engine.memory import MemoryQueue, QueueOptions, Received, Redrive, RequestRefusedError


def queue(**options: Any) -> MemoryQueue:
    return MemoryQueue("work", QueueOptions(**options), clock=get_running_loop().time)


async def waiting(*polls: asyncio.Task[list[Received]]) -> None:
    """Let the polls start."""
    for _ in polls:
        await asyncio.sleep(0)


async def test_a_poll_is_woken_by_a_send() -> None:
    work = queue()
    poll = asyncio.create_task(work.receive(10, wait=20))
    await waiting(poll)
    sent = work.send("a")
    assert [each.message.id for each in await poll] == [sent.id]


async def test_a_poll_is_woken_when_a_lease_lapses() -> None:
    work = queue()
    sent = work.send("a")
    work.take(visibility=0.02)
    assert [each.message.id for each in await work.receive(wait=20)] == [sent.id]


async def test_a_poll_is_woken_when_a_delay_is_over() -> None:
    work = queue(delay=0.02)
    work.send("a")
    assert len(await work.receive(wait=20)) == 1


async def test_a_poll_is_woken_when_the_head_of_its_group_is_deleted() -> None:
    work = queue(fifo=True)
    for number in "12":
        work.send(number, group="g", deduplication_id=number)
    (head,) = work.take(1)
    poll = asyncio.create_task(work.receive(10, wait=20))
    await waiting(poll)
    work.delete(head.receipt)
    assert [each.message.body for each in await poll] == ["2"]


async def test_a_poll_ends_empty_handed_at_its_time() -> None:
    work = queue(wait=0.02)
    assert await work.receive(10) == []


async def test_two_messages_wake_two_polls() -> None:
    work = queue()
    polls = [asyncio.create_task(work.receive(1, wait=20)) for _ in range(2)]
    await waiting(*polls)
    work.send("a")
    work.send("b")
    assert [len(await poll) for poll in polls] == [1, 1]


async def test_an_abandoned_poll_takes_no_message() -> None:
    work = queue()
    poll = asyncio.create_task(work.receive(10, wait=20))
    await waiting(poll)
    poll.cancel()
    work.send("a")
    with pytest.raises(asyncio.CancelledError):
        await poll
    assert work.counts() == (1, 0, 0)


async def test_a_poll_abandoned_as_it_is_woken_passes_the_message_on() -> None:
    work = queue()
    first, second = (asyncio.create_task(work.receive(10, wait=20)) for _ in range(2))
    await waiting(first, second)
    work.send("a")
    first.cancel()
    assert len(await second) == 1
    assert first.cancelled()


async def test_polls_end_when_their_queue_is_deleted() -> None:
    work = queue()
    polls = [asyncio.create_task(work.receive(10, wait=20)) for _ in range(3)]
    await waiting(*polls)
    work.close()
    for poll in polls:
        with pytest.raises(RequestRefusedError):
            await poll


async def test_a_full_fifo_queue_lets_a_poll_wait_until_there_is_room() -> None:
    work = queue(fifo=True, max_in_flight=1)
    for group in "ab":
        work.send(group, group=group, deduplication_id=group)
    (first,) = work.take(10)
    poll = asyncio.create_task(work.receive(10, wait=20))
    await waiting(poll)
    work.delete(first.receipt)
    assert [each.message.body for each in await poll] == ["b"]


async def test_a_poll_moves_what_is_worn_out_and_goes_on_waiting() -> None:
    work, dead = queue(), queue()
    work.redrive = Redrive(dead, 1)
    work.send("poison")
    work.take(visibility=0.01)
    grave = asyncio.create_task(dead.receive(wait=20))
    assert await work.receive(wait=0.05) == []
    assert [each.message.body for each in await grave] == ["poison"]


async def test_no_timer_is_left_behind() -> None:
    work = queue()
    work.send("a")
    work.take(visibility=60)
    await work.receive(wait=0.01)
    assert work._polls._timer is None
