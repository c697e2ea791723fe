"""Copies of many small objects and a large one, compared with ORCA's way: boto3's managed copy in sequence.

Our copies read the heads of source and target before, and verify the target after: twice ORCA's requests.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import boto3

from bench.copy.load import ProcessLoad
from bench.report import Report, Target
from bench.size import Size
from orca_daemon.aws.clients import connect
from orca_daemon.aws.s3copy import Copied, Copier, S3Object
from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.queues.recovery import options
from orca_daemon.settings import Settings

ONE_WAY = 0.010
"""Network latency in seconds, in each direction."""
SMALL = 300_000
PARTS = (400, 10_000)
PART = 256 * 1024**2
MIN_SPEED_UP, MAX_GROWTH_MIB = 6.0, 16.0


def measure(size: Size) -> Report:
    """Both ways on the same store with the same latency."""
    os.environ.update(CREDENTIALS)
    count, of_parts = size.pick(1000, 300, 30), size.pick(PARTS, PARTS[:1], PARTS[:1])
    with _store() as url:
        asyncio.run(_fill(url, count))
        sequential = _copy_in_sequence(url, count)
        concurrent, load = asyncio.run(_copy_concurrently(url, count))
        large = [asyncio.run(_copy_large(url, parts)) for parts in of_parts]
    figures = {
        f"{count} small objects, in sequence, s": sequential,
        f"{count} small objects, concurrently, s": concurrent,
        "CPU time of one concurrent copy, ms": load.cpu_seconds / count * 1000,
        "event loop lag of concurrent copies, 99 %, s": load.lag(0.99),
        "event loop lag of concurrent copies, worst, s": load.lag(1.0),
    }
    for copied, load in large:
        name = f"one object of {copied.parts:,} parts ({copied.size / 1024**4:.2f} TiB)"
        figures[f"{name}, s"] = copied.seconds
        figures[f"{name}, memory growth, MiB"] = load.peak_growth_mib
        figures[f"{name}, event loop lag, 99 %, s"] = load.lag(0.99)
    return Report(
        name="copy",
        figures=figures,
        targets=[
            Target(
                name="times faster than in sequence", measured=sequential / concurrent, at_least=MIN_SPEED_UP
            ),
            Target(
                name="memory of a large object, MiB",
                measured=max(load.peak_growth_mib for _, load in large),
                at_most=MAX_GROWTH_MIB,
            ),
        ],
    )


@contextmanager
def _store() -> Iterator[str]:
    program = [sys.executable, "-m", "bench.copy.store", str(ONE_WAY)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


async def _fill(url: str, count: int) -> None:
    async with aiohttp.ClientSession() as session:
        sizes = {f"archive/{n}": SMALL for n in range(count)}
        sizes |= {f"archive/{parts}-parts": parts * PART for parts in PARTS}
        await asyncio.gather(*(session.put(f"{url}/{key}?size={size}") for key, size in sizes.items()))


def _copy_in_sequence(url: str, count: int) -> float:
    s3 = boto3.client("s3", endpoint_url=url, region_name=REGION)
    began = time.perf_counter()
    for number in range(count):
        s3.copy({"Bucket": "archive", "Key": f"{number}"}, "theirs", f"{number}")
    seconds = time.perf_counter() - began
    s3.close()
    return seconds


def _settings(url: str) -> Settings:
    return Settings.model_validate(
        {"aws": {"region": REGION, "endpoint_url": url}, "copies": {"chunk_mib": PART // 1024**2}}
    )


async def _copy_concurrently(url: str, count: int) -> tuple[float, ProcessLoad]:
    settings = _settings(url)
    async with connect(settings) as clients:
        copier = Copier(clients.s3, options(settings.copies))
        # The first request of a client loads its models; boto3 did that before its measurement, too.
        await copier.head(S3Object("archive", "0"))
        began = time.perf_counter()
        async with ProcessLoad() as load:
            await asyncio.gather(
                *(copier.copy(S3Object("archive", f"{n}"), S3Object("ours", f"{n}")) for n in range(count))
            )
        return time.perf_counter() - began, load


async def _copy_large(url: str, parts: int) -> tuple[Copied, ProcessLoad]:
    settings = _settings(url)
    async with connect(settings) as clients:
        copier = Copier(clients.s3, options(settings.copies))
        await copier.copy(S3Object("archive", "0"), S3Object("warm", f"{parts}"))
        async with ProcessLoad() as load:
            copied = await copier.copy(
                S3Object("archive", f"{parts}-parts"), S3Object("ours", f"{parts}-parts"), chunk=PART
            )
        return copied, load
