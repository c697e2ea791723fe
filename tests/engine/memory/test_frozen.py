"""A queue written down and taken up again is the same queue."""

import json

import pytest

from orca_daemon.engine.memory import MemoryQueue, QueueOptions, RequestRefusedError
from tests.engine.memory.clock import Clock


def thawed(queue: MemoryQueue, clock: Clock) -> MemoryQueue:
    again = MemoryQueue(queue.name, queue.options, clock=clock)
    again.thaw(json.loads(json.dumps(queue.freeze())))
    return again


def test_messages_handles_and_leases_outlast_a_restart(clock: Clock) -> None:
    work = MemoryQueue("work.fifo", QueueOptions(fifo=True), clock=clock)
    attributes = {"b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    for number in "123":
        work.send(number, group="g", deduplication_id=number, attributes=attributes)
    first, second = work.take(2, visibility=60)
    work.delete(first.receipt)
    work = thawed(work, clock)
    assert work.take(10) == []
    assert work.counts() == (1, 1, 0)
    assert work.send("again", group="g", deduplication_id="1").sequence == 1
    clock.pass_(60)
    with pytest.raises(RequestRefusedError, match="expired"):
        work.delete(second.receipt)
    again, last = work.take(10)
    assert [(each.message.body, each.receive_count) for each in (again, last)] == [("2", 2), ("3", 1)]
    assert again.message.attributes == attributes
    work.delete(again.receipt)
    assert work.send("new", group="g", deduplication_id="4").sequence == 4


def test_delays_outlast_a_restart(clock: Clock) -> None:
    work = MemoryQueue("work", QueueOptions(delay=60), clock=clock)
    work.send("late")
    work = thawed(work, clock)
    assert (work.counts(), work.take()) == ((0, 0, 1), [])
    clock.pass_(60)
    assert len(work.take()) == 1
