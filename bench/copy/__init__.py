"""Copying many small objects and one large one, against ORCA's way: boto3's managed copy, file after file.

Ours looks at source and target before each copy and verifies after it, which is twice the requests of ORCA's.
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

from bench.copy.strain import Strain
from bench.report import Report, Target
from bench.size import Size
from orca_daemon.aws.clients import connect
from orca_daemon.aws.s3copy import Copied, Copier, S3Object
from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.queues.recovery import options
from orca_daemon.settings import Settings

ONE_WAY = 0.010
"""Seconds that every byte is under way, in either direction."""
SMALL = 300_000
PARTS = (400, 10_000)
PART = 256 * 1024**2
TIMES, MIBS = 6.0, 16.0


def measure(size: Size) -> Report:
    """Both ways, on the same store at the same distance."""
    os.environ.update(CREDENTIALS)
    count, of_parts = size.pick(1000, 300, 30), size.pick(PARTS, PARTS[:1], PARTS[:1])
    with _store() as url:
        asyncio.run(_fill(url, count))
        one_by_one = _one_after_another(url, count)
        together, strain = asyncio.run(_side_by_side(url, count))
        large = [asyncio.run(_large(url, parts)) for parts in of_parts]
    figures = {
        f"{count} small objects, one after another, s": one_by_one,
        f"{count} small objects, side by side, s": together,
        "processor time of one of them meanwhile, ms": strain.processor / count * 1000,
        "event loop lag meanwhile, worst of 99 %, s": strain.lag(0.99),
        "event loop lag meanwhile, worst, s": strain.lag(1.0),
    }
    for copied, at_work in large:
        name = f"one object of {copied.parts:,} parts ({copied.size / 1024**4:.2f} TiB)"
        figures[f"{name}, s"] = copied.seconds
        figures[f"{name}, memory grown by, MiB"] = at_work.grown
        figures[f"{name}, event loop lag, worst of 99 %, s"] = at_work.lag(0.99)
    return Report(
        name="copy",
        figures=figures,
        targets=[
            Target(
                name="times faster than one after another", measured=one_by_one / together, at_least=TIMES
            ),
            Target(
                name="memory of a large object, MiB",
                measured=max(one.grown for _, one in large),
                at_most=MIBS,
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


def _one_after_another(url: str, count: int) -> float:
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


async def _side_by_side(url: str, count: int) -> tuple[float, Strain]:
    settings = _settings(url)
    async with connect(settings) as clients:
        copier = Copier(clients.s3, options(settings.copies))
        # The first request of a client loads its models, which the other way did before its clock ran too.
        await copier.head(S3Object("archive", "0"))
        began = time.perf_counter()
        async with Strain() as strain:
            await asyncio.gather(
                *(copier.copy(S3Object("archive", f"{n}"), S3Object("ours", f"{n}")) for n in range(count))
            )
        return time.perf_counter() - began, strain


async def _large(url: str, parts: int) -> tuple[Copied, Strain]:
    settings = _settings(url)
    async with connect(settings) as clients:
        copier = Copier(clients.s3, options(settings.copies))
        await copier.copy(S3Object("archive", "0"), S3Object("warm", f"{parts}"))
        async with Strain() as strain:
            copied = await copier.copy(
                S3Object("archive", f"{parts}-parts"), S3Object("ours", f"{parts}-parts"), chunk=PART
            )
        return copied, strain
