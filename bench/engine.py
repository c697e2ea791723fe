"""Overhead of the engine: no-op messages from a queue in memory, compared with a bare loop over such a queue.

It measures CPU time, because nothing waits here and other processes must not count.
"""

import asyncio
import gc
import resource
import time
from collections.abc import Callable, Sequence

from bench.report import Report, Target
from bench.size import Size
from orca_daemon.engine.engine import Binding, Engine
from orca_daemon.engine.errors import Reject
from orca_daemon.engine.memory import MemoryQueue, MemorySource, QueueOptions
from orca_daemon.engine.message import Delivery
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.engine.route import Handler, Route
from orca_daemon.engine.source import BATCH

MESSAGES = 50_000
LONG_RUN, SHORT_RUN, TINY_RUN = 1_000_000, 200_000, 50_000
GROUPS = 200
POISON_TRIES = 9
MICRO = 1e6


def measure(size: Size) -> Report:
    """Overhead on a standard queue and on FIFO with merged runs; memory growth; delay by a poison message."""
    count = size.pick(LONG_RUN, SHORT_RUN, TINY_RUN)
    messages, rounds = size.pick(MESSAGES, MESSAGES, 2_000), size.pick(3, 3, 1)
    # Runs first, because it reads the peak memory of the process, which the other parts would raise.
    growth = asyncio.run(_growth(count))
    figures: dict[str, float] = {}
    targets: list[Target] = []
    for name, fifo in (("standard", False), ("FIFO, merged", True)):
        bare = min(asyncio.run(_bare(messages, fifo=fifo)) for _ in range(rounds))
        ours = min(asyncio.run(_through_engine(messages, fifo=fifo)) for _ in range(rounds))
        figures[f"{name}: bare loop, µs a message"] = bare
        figures[f"{name}: engine, µs a message"] = ours
        targets.append(
            Target(name=f"{name}: overhead, µs a message", measured=max(ours - bare, 0.0), at_most=30.0)
        )
    targets.append(Target(name=f"memory grown over {count:,} messages, MiB", measured=growth, at_most=8.0))
    delays = [asyncio.run(_poison_delay()) for _ in range(size.pick(POISON_TRIES, POISON_TRIES, 1))]
    targets.append(Target(name="one poison message delays its group, s", measured=max(delays), at_most=1.0))
    return Report(name="engine", figures=figures, targets=targets)


def _queue(count: int, *, fifo: bool) -> tuple[MemoryQueue, MemorySource]:
    queue = MemoryQueue("work", QueueOptions(fifo=fifo), clock=time.time)
    dead = MemoryQueue("dead", QueueOptions(fifo=fifo), clock=time.time)
    _fill(queue, range(count), fifo=fifo)
    return queue, MemorySource(queue, dead)


def _fill(queue: MemoryQueue, numbers: range, *, fifo: bool) -> None:
    for number in numbers:
        if fifo:
            queue.send(str(number), group=f"g{number % GROUPS}", deduplication_id=str(number))
        else:
            queue.send(str(number))


async def _bare(count: int, *, fifo: bool) -> float:
    _, source = _queue(count, fifo=fifo)
    began = time.process_time()
    while envelopes := await source.receive(BATCH, wait=0, lease=120):
        await source.delete(envelopes)
    return (time.process_time() - began) / count * MICRO


async def _through_engine(count: int, *, fifo: bool) -> float:
    queue, source = _queue(count, fifo=fifo)
    began = time.process_time()
    await _drive(source, _nothing, lambda: not any(queue.counts()), fifo=fifo)
    return (time.process_time() - began) / count * MICRO


async def _drive(
    source: MemorySource,
    handle: Handler[str],
    done: Callable[[], bool],
    *,
    fifo: bool,
) -> None:
    route: Route[str] = Route(
        name="work",
        decode=lambda envelope: envelope.body,
        handle=handle,
        batch=100 if fifo else 1,
        merge=fifo,
        concurrency=2 if fifo else 10,
    )
    binding = Binding(
        name="work",
        route=route,
        source=source,
        facts=source.describe(),
        options=ConsumerOptions(wait=1, concurrency=route.concurrency),
    )
    engine = Engine([binding], probes={}, drain_seconds=5, observe=lambda _: None)
    running = asyncio.create_task(engine.run())
    while not done():  # noqa: ASYNC110  the queue has no event for "empty"
        await asyncio.sleep(0.01)
    engine.stop()
    await running


async def _nothing(_: Sequence[Delivery[str]]) -> None:
    """A handler that costs nothing."""


async def _growth(count: int) -> float:
    """MiB by which the process's peak memory grows from the first tenth of the messages to the last."""
    queue, source = _queue(0, fifo=False)
    sent = 0
    at_a_tenth = 0.0

    def done() -> bool:
        nonlocal sent, at_a_tenth
        if not any(queue.counts()) and sent < count:
            _fill(queue, range(sent, sent + 5000), fifo=False)
            sent += 5000
            if sent == count // 10:
                at_a_tenth = _peak_mib()
        return sent >= count and not any(queue.counts())

    gc.collect()
    await _drive(source, _nothing, done, fifo=False)
    return _peak_mib() - at_a_tenth


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _poison_delay() -> float:
    """Seconds from the handling of the message before a rejected one to that of the message after it."""
    queue, source = _queue(0, fifo=True)
    for number in range(BATCH):
        queue.send(str(number), group="one", deduplication_id=str(number))
    handled_at: dict[str, float] = {}

    async def work(run: Sequence[Delivery[str]]) -> None:
        if any(delivery.message == "5" for delivery in run):
            raise Reject("bad")
        handled_at.update({delivery.message: time.monotonic() for delivery in run})

    await _drive(source, work, lambda: not any(queue.counts()), fifo=True)
    return handled_at["6"] - handled_at["4"]
