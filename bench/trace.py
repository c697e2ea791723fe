"""What traces cost a message, with spans off and on at 1 % sampling, in runs of a hundred and one by one.

The engine works no-op messages from a queue in memory; each has the context of its sender, as a program that
traces sends it.  CPU time, the ways in turns, and the least of many turns: other load hardly counts.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any
from unittest.mock import patch

from bench.report import Report, Target
from bench.size import Size
from orca_daemon.app.tracing import Traces
from orca_daemon.engine.engine import Binding, Engine
from orca_daemon.engine.events import Event, Observer
from orca_daemon.engine.memory import MemoryQueue, MemorySource, QueueOptions
from orca_daemon.engine.message import Delivery
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.engine.route import Route
from orca_daemon.ops.metrics import Metrics
from orca_daemon.settings import Settings

MESSAGES = 4_000
TURNS = 20
GROUPS = 200
MICRO = 1e6
ON = {
    # Nobody listens there: failing exports are part of the cost.
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0.01",
}
SAMPLED = 0.01
"""Part of the runs, as `ON` has it."""
MOST_OFF = 1.05
"""The two run the same code: what differs is noise."""
ALL = {**ON, "OTEL_TRACES_SAMPLER": "always_on"}
LIMITS = {"runs of 100": 5.0, "one by one": 30.0}
"""Microseconds a message that traces may add."""
CONFIG = Settings.model_validate(
    {"queues": {"bench": {"url": "https://sqs.us-west-2.amazonaws.com/123456789012/bench.fifo"}}}
)


def measure(size: Size) -> Report:
    """Microseconds a message, off and on, and what traces add."""
    messages, turns = size.pick(MESSAGES, 2_000, 200), size.pick(TURNS, 15, 1)
    figures: dict[str, float] = {}
    targets: list[Target] = []
    for name, limit in LIMITS.items():
        untouched, off, on, every = asyncio.run(_compare(messages, turns, one=name == "one by one"))
        figures[f"{name}: without a hook, µs a message"] = untouched
        figures[f"{name}: off, µs a message"] = off
        figures[f"{name}: on at 1 %, µs a message"] = on
        figures[f"{name}: every run sampled, µs a message"] = every
        targets += [
            Target(name=f"{name}: off / without", measured=off / untouched, at_most=MOST_OFF),
            # The least of many turns may have no sampled run: their part is added.
            Target(
                name=f"{name}: on adds, µs a message",
                measured=max(on - off, 0.0) + SAMPLED * max(every - off, 0.0),
                at_most=limit,
            ),
        ]
    return Report(name="trace", figures=figures, targets=targets)


async def _compare(messages: int, turns: int, *, one: bool) -> tuple[float, ...]:
    """The least CPU time of a message: an engine that knows no traces, traces off, on, every run sampled."""
    off, on, every = Traces(), Traces(), Traces()
    async with AsyncExitStack() as stack:
        off.start(stack, Metrics().traces)
        with patch.dict(os.environ, ON):
            on.start(stack, Metrics().traces)
        with patch.dict(os.environ, ALL):
            every.start(stack, Metrics().traces)
        ways: Sequence[Traces | None] = (None, off, on, every)
        times: list[list[float]] = [[] for _ in ways]
        for turn in range(turns):
            for place in range(len(ways)):  # each goes first in its turn
                way = (turn + place) % len(ways)
                times[way].append(await _turn(messages, ways[way], one=one))
    return tuple(map(min, times))


async def _turn(messages: int, traces: Traces | None, *, one: bool) -> float:
    queue, source = _filled(messages)
    route: Route[str] = Route(
        name="bench",
        decode=lambda envelope: envelope.body,
        handle=_nothing,
        describe=lambda body: {"job_id": body},
        batch=1 if one else 100,
        merge=not one,
        concurrency=10 if one else 2,
    )
    options = ConsumerOptions(wait=0.01, concurrency=route.concurrency)
    binding = Binding(name="bench", route=route, source=source, facts=source.describe(), options=options)
    bound: list[Binding] = [binding]
    observe: Observer = _ignore
    if traces is not None:
        bound, observe = traces.around_runs(bound, CONFIG), traces.observer(observe)
    engine = Engine(bound, probes={}, drain_seconds=5, observe=observe)
    began = time.process_time()
    await _drive(engine, lambda: not any(queue.counts()))
    return (time.process_time() - began) / messages * MICRO


async def _drive(engine: Engine, done: Callable[[], bool]) -> None:
    running = asyncio.create_task(engine.run())
    while not done():  # noqa: ASYNC110  the queue has no event for "empty"
        await asyncio.sleep(0.005)
    engine.stop()
    await running


def _filled(count: int) -> tuple[MemoryQueue, MemorySource]:
    options = QueueOptions(fifo=True)
    queue, dead = (MemoryQueue(name, options, clock=time.time) for name in ("work", "dead"))
    for number in range(count):
        context: Any = {"DataType": "String", "StringValue": f"00-{number + 1:032x}-{number + 1:016x}-01"}
        queue.send(
            str(number),
            attributes={"traceparent": context},
            group=f"g{number % GROUPS}",
            deduplication_id=str(number),
        )
    return queue, MemorySource(queue, dead)


async def _nothing(_: Sequence[Delivery[str]], /) -> None:
    """A handler that costs nothing."""


def _ignore(_: Event) -> None:
    """An observer that costs nothing."""
