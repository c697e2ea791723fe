"""Catalog records written to a catalog of ten million files, compared with one of a million."""

import asyncio

from bench.catalog import create_catalog
from bench.catalog.ways import RUN, in_runs
from bench.catalog.workload import records
from bench.report import Report, Target
from bench.size import Size
from orca_daemon.db.database import Database
from orca_daemon.local.postgres import Postgres
from orca_daemon.ops.gc_tuning import tune_gc
from orca_daemon.settings import DatabaseSection

FILES = 3
TIMES = 10
"""How much larger the second catalog is."""
MOST_SLOWER = 2.0
"""A message may take so much longer there: the indexes are deeper, and fit the server's memory less."""


def measure(size: Size) -> Report:
    """Both catalogs on one server; runs are written to them in turns."""
    tune_gc()
    smaller = size.pick(1_000_000, 20_000, 600)
    with Postgres(fast=size is Size.TINY) as server:
        for name, files in (("smaller", smaller), ("larger", smaller * TIMES)):
            create_catalog(server, name, files)
        urls = server.url("smaller"), server.url("larger")
        seconds = asyncio.run(_both(urls, size.pick(60, 10, 2)))
    messages = size.pick(60, 10, 2) * RUN
    return Report(
        name="catalog_growth",
        figures={
            f"{smaller:,} files, messages/s": messages / seconds[0],
            f"{smaller * TIMES:,} files, messages/s": messages / seconds[1],
        },
        targets=[
            Target(
                name=f"times slower with {TIMES} times the files",
                measured=seconds[1] / seconds[0],
                at_most=MOST_SLOWER,
            )
        ],
    )


async def _both(urls: tuple[str, str], runs: int) -> tuple[float, float]:
    databases = [Database(DatabaseSection.model_validate({"url": url})) for url in urls]
    for database in databases:
        await database.probe()
    seconds = [0.0, 0.0]
    for run in range(runs):
        messages = records(RUN, files=FILES, first=run * RUN)
        for number, database in enumerate(databases):
            seconds[number] += await in_runs(database, messages)
    for database in databases:
        database.close()
    return seconds[0], seconds[1]
