"""Copies of many small objects and of large ones, beside what a user would copy with instead.

Everything runs in turns on one store with one latency, so that a slow minute of the machine hits all.  Ours
are verified: the daemon compares the checksum or the ETag of each copy with its source.  The others are not.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import aiohttp

from bench.copy.load import ProcessLoad
from bench.copy.peers import THREADS, Cost, Peer, aws_large, boto3_large, boto3_threads, programs
from bench.report import Report, Target
from bench.size import Size
from orca_daemon.aws.clients import connect
from orca_daemon.aws.s3copy import Copied, Copier, S3Object
from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.ops.gc_tuning import tune_gc
from orca_daemon.queues.recovery import options
from orca_daemon.settings import Settings

LATENCY = 0.020
"""From a request to its response, in seconds."""
SMALL = 300_000
PARTS = (400, 10_000)
PART = 256 * 1024**2
SEQUENCE = 10
"""One in so many objects is copied in sequence."""
MILLI = 1000.0
MIN_SPEED_UP, MAX_GROWTH_MIB, MAX_CPU = 6.0, 16.0, 0.8
MOST: Mapping[str, float] = {"s5cmd": 1.5}
"""Largest part of our time in another's; 1 for those that are not named."""
OURS, CAREFUL, BEFORE = "direct, two requests", "direct, four requests", "aiobotocore, four requests"


def measure(size: Size) -> Report:
    """All of them, in turns; the best of each counts."""
    os.environ.update(CREDENTIALS)
    tune_gc()  # as the daemon does
    count, turns = size.pick(1000, 300, 30), size.pick(3, 1, 1)
    with _store() as url:
        asyncio.run(_fill(url, count))
        sequence = _sequence(url, count)
        small = _in_turns(url, turns, _small(count, others=size is not Size.TINY))
        large = _in_turns(url, turns, _large(others=size is not Size.TINY))
        growth = [asyncio.run(_grow(url, parts)) for parts in size.pick(PARTS, PARTS[:1], PARTS[:1])]
    figures = {f"{count} small objects, in sequence, s": sequence}
    for name, cost in small.items():
        figures[f"{count} small: {name}, s"] = cost.seconds
        figures[f"{count} small: {name}, CPU, ms a copy"] = cost.cpu / count * MILLI
    for name, cost in large.items():
        figures[f"{PARTS[0]} parts: {name}, s"] = cost.seconds
        figures[f"{PARTS[0]} parts: {name}, CPU, s"] = cost.cpu
    for copied, load in growth:
        name = f"{copied.parts:,} parts ({copied.size / 1024**4:.2f} TiB)"
        figures[f"{name}, s"] = copied.seconds
        figures[f"{name}, memory growth, MiB"] = load.peak_growth_mib
        figures[f"{name}, event loop lag, 99 %, s"] = load.lag(0.99)
    return Report(
        name="copy",
        figures=figures,
        targets=[
            Target(
                name="times faster than in sequence",
                measured=sequence / small[OURS].seconds,
                at_least=MIN_SPEED_UP,
            ),
            Target(name="CPU, ms a copy", measured=small[OURS].cpu / count * MILLI, at_most=MAX_CPU),
            *_against(f"{count} small", small),
            *_against(f"{PARTS[0]} parts", large),
            Target(
                name="memory of a large object, MiB",
                measured=max(load.peak_growth_mib for _, load in growth),
                at_most=MAX_GROWTH_MIB,
            ),
        ],
    )


def _against(work: str, costs: Mapping[str, Cost]) -> Iterator[Target]:
    for name, cost in costs.items():
        if name not in {OURS, CAREFUL, BEFORE}:
            most = MOST.get(name.split(",")[0], 1.0)
            yield Target(
                name=f"{work}: our time / {name}", measured=costs[OURS].seconds / cost.seconds, at_most=most
            )


def _in_turns(url: str, turns: int, ways: Mapping[str, Peer]) -> dict[str, Cost]:
    """The best time and the least CPU of each way."""
    best: dict[str, Cost] = {}
    for turn in range(turns):
        for index, (name, way) in enumerate(ways.items()):
            cost = way(url, f"to-{id(ways)}-{turn}-{index}")
            before = best.get(name, cost)
            best[name] = Cost(min(cost.seconds, before.seconds), min(cost.cpu, before.cpu))
    return best


def _small(count: int, *, others: bool) -> dict[str, Peer]:
    ways: dict[str, Peer] = {
        OURS: _run(partial(_copy_small, count=count, first=True)),
        CAREFUL: _run(partial(_copy_small, count=count, first=False)),
        BEFORE: _run(partial(_copy_small, count=count, first=False), aws={"direct_calls": False}),
    }
    if others:
        ways |= {f"boto3, {n} threads": boto3_threads(n, count) for n in THREADS} | dict(programs())
    return ways


def _large(*, others: bool) -> dict[str, Peer]:
    key = f"{PARTS[0]}-parts"
    ways: dict[str, Peer] = {
        OURS: _run(partial(_copy_large, parts=PARTS[0])),
        BEFORE: _run(partial(_copy_large, parts=PARTS[0]), aws={"direct_calls": False}, copies={"parts": 32}),
    }
    if others:
        for threads in THREADS:
            ways[f"boto3, {threads} threads"] = partial(boto3_large, key=key, threads=threads, part=PART)
        if aws := aws_large(key, part=PART):
            ways["aws cli, 64 at a time"] = aws
    return ways


@contextmanager
def _store() -> Iterator[str]:
    program = [sys.executable, "-m", "bench.copy.store", str(LATENCY)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


async def _fill(url: str, count: int) -> None:
    async with aiohttp.ClientSession() as session:
        sizes = {f"archive/{n}": SMALL for n in range(count)}
        sizes |= {f"large/{parts}-parts": parts * PART for parts in PARTS}
        await asyncio.gather(*(session.put(f"{url}/{key}?size={size}") for key, size in sizes.items()))


def _sequence(url: str, count: int) -> float:
    """Seconds for all, from some: ORCA's way, boto3's managed copies one after another."""
    some = max(count // SEQUENCE, 1)
    return boto3_threads(1, some)(url, "in-sequence").seconds / some * count


def _settings(url: str, aws: Mapping[str, object], copies: Mapping[str, object]) -> Settings:
    return Settings.model_validate(
        {
            "aws": {"region": REGION, "endpoint_url": url, **aws},
            "copies": {"chunk_mib": PART // 1024**2, **copies},
        }
    )


def _run(
    work: Callable[[Copier, str], object],
    aws: Mapping[str, object] | None = None,
    copies: Mapping[str, object] | None = None,
) -> Peer:
    """A way that copies with the daemon's own copier, in this process."""

    async def run(url: str, bucket: str) -> Cost:
        settings = _settings(url, aws or {}, copies or {})
        async with connect(settings) as clients:
            copier = Copier(clients.s3, options(settings.copies))
            # The first requests of a client load its models; those of boto3 are loaded, too.
            await copier.copy(S3Object("archive", "0"), S3Object(f"{bucket}-warm", "0"), first=True)
            began, cpu = time.perf_counter(), time.process_time()
            await work(copier, bucket)  # type: ignore[misc]  # a coroutine function
            return Cost(time.perf_counter() - began, time.process_time() - cpu)

    return lambda url, bucket: asyncio.run(run(url, bucket))


async def _copy_small(copier: Copier, bucket: str, *, count: int, first: bool) -> None:
    await asyncio.gather(
        *(
            copier.copy(S3Object("archive", f"{n}"), S3Object(bucket, f"{n}"), first=first)
            for n in range(count)
        )
    )


async def _copy_large(copier: Copier, bucket: str, *, parts: int) -> Copied:
    return await copier.copy(
        S3Object("large", f"{parts}-parts"), S3Object(bucket, f"{parts}-parts"), chunk=PART, first=True
    )


async def _grow(url: str, parts: int) -> tuple[Copied, ProcessLoad]:
    settings = _settings(url, {}, {})
    async with connect(settings) as clients:
        copier = Copier(clients.s3, options(settings.copies))
        await copier.copy(S3Object("archive", "0"), S3Object("warm", f"{parts}"))
        async with ProcessLoad() as load:
            copied = await _copy_large(copier, "memory", parts=parts)
        return copied, load
