"""Faults between the engine and its queue: what the caller sees, and what the queue did."""

import asyncio
from asyncio import get_running_loop
from random import Random

import pytest

from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.faults import NONE, Chances, Fault, FaultySource
from orca_daemon.engine.memory import MemoryQueue, MemorySource, Options
from orca_daemon.engine.source import Outcome


def stage(fault: Fault) -> tuple[MemoryQueue, FaultySource]:
    work = MemoryQueue("work", Options(), clock=get_running_loop().time)
    return work, FaultySource(MemorySource(work), lambda _operation, _size: fault)


async def test_a_lost_answer_has_its_effect() -> None:
    work, source = stage(Fault(lost=True))
    work.send("a")
    with pytest.raises(SourceError) as error:
        await source.receive(10, wait=0, lease=60)
    assert error.value.kind == "unavailable"
    assert work.counts() == (0, 1, 0)


async def test_a_refused_call_has_none() -> None:
    work, source = stage(Fault(refused="throttled"))
    work.send("a")
    with pytest.raises(SourceError) as error:
        await source.receive(10, wait=0, lease=60)
    assert error.value.kind == "throttled"
    assert work.counts() == (1, 0, 0)


async def test_a_batch_can_fail_in_part() -> None:
    work, source = stage(NONE)
    for body in "abc":
        work.send(body)
    envelopes = await source.receive(10, wait=0, lease=60)
    source.script = lambda _operation, _size: Fault(failed=frozenset({1}))
    assert await source.delete(envelopes) == [Outcome.DONE, Outcome.FAILED, Outcome.DONE]
    assert [message.body for message in work.messages()] == ["b"]


async def test_nothing_gets_through_after_the_cut_and_nothing_is_answered() -> None:
    work, source = stage(NONE)
    poll = asyncio.create_task(source.receive(10, wait=20, lease=60))
    await asyncio.sleep(0)
    source.cut()
    work.send("a")
    late = asyncio.create_task(source.receive(10, wait=0, lease=60))
    done, _ = await asyncio.wait([poll, late], timeout=0.05)
    assert not done
    for task in (poll, late):
        task.cancel()
    await asyncio.wait([poll, late])


async def test_dice_fall_the_same_way_for_the_same_seed() -> None:
    def throw() -> list[Fault]:
        chances = Chances(rng=Random(7), lost=0.3, throttled=0.2, unavailable=0.1, partial=0.5, slow=0.2)
        return [chances(operation, 10) for operation in ("receive", "delete", "hide", "bury") * 20]

    assert throw() == throw()
    assert {fault.refused for fault in throw()} == {"", "throttled", "unavailable"}
    assert any(fault.lost for fault in throw())
    assert any(fault.failed for fault in throw())
