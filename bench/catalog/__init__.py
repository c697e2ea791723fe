"""Catalog records written to a catalog of a million files, compared with one transaction per message.

Our way includes the guard against older messages and the check of storage classes; ORCA has neither.
"""

import asyncio
from collections.abc import Sequence
from contextlib import closing

import psycopg2
from sqlalchemy import Engine, create_engine

from bench.catalog.ways import RUN, copied, in_runs, one_by_one
from bench.catalog.workload import records, seed
from bench.report import Report, Target
from bench.size import Size
from orca_daemon.db.database import Database
from orca_daemon.db.migrate import upgrade
from orca_daemon.local.postgres import Postgres
from orca_daemon.ops.gc_tuning import tune_gc
from orca_daemon.settings import DatabaseSection
from orca_daemon.wire.catalog import CatalogRecord

SPEED_UPS = {3: 8.0, 30: 4.0}
"""Least speed-up by files of a granule: with thirty, the indexes are the work."""
_TEMPLATE = "bench_catalog"
_FIRST_ID = 1_000_000_000
"""Ids of granules that are copied; the sequence does not reach them."""


def measure(size: Size) -> Report:
    """All ways on the same server, in turns."""
    tune_gc()
    figures: dict[str, float] = {}
    targets = []
    with Postgres(fast=size is Size.TINY) as server:
        create_catalog(server, _TEMPLATE, size.pick(1_000_000, 50_000, 600))
        for files, least in SPEED_UPS.items():
            count = size.pick(6_000, 400, 100) if files == min(SPEED_UPS) else size.pick(1_500, 200, 100)
            messages = records(count, files=files)
            seconds = asyncio.run(_compare(server, messages, turns=size.pick(5, 2, 1)))
            for way, each in zip(_ways(files), seconds, strict=True):
                figures[f"{way}, messages/s"] = len(messages) / each
            single, runs, copy = seconds
            figures[f"{files} files: share of COPY's speed"] = copy / runs
            targets.append(
                Target(name=f"times faster, {files} files a granule", measured=single / runs, at_least=least)
            )
    return Report(name="catalog", figures=figures, targets=targets)


def create_catalog(server: Postgres, name: str, files: int) -> None:
    """Create a database with a catalog of so many files."""
    with closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
    upgrade(server.url(name))
    engine = engine_of(server.url(name))
    with engine.connect() as opened:
        seed(opened, files, 10)
    engine.dispose()


def engine_of(url: str) -> Engine:
    """An engine of SQLAlchemy for this database."""
    return create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))


def _ways(files: int) -> Sequence[str]:
    return [
        f"{files} files: a transaction for each message",
        f"{files} files: runs of {RUN}",
        f"{files} files: COPY without questions",
    ]


async def _compare(
    server: Postgres, messages: Sequence[CatalogRecord], *, turns: int
) -> tuple[float, float, float]:
    """Seconds of each way.  They take turns, each in its own database, so that other load affects all."""
    urls = [_copy_of(server, f"{_TEMPLATE}_{way}") for way in range(3)]
    single, copy = engine_of(urls[0]), engine_of(urls[2])
    with single.connect(), copy.connect():
        pass
    database = Database(DatabaseSection.model_validate({"url": urls[1]}))
    await database.probe()
    seconds = [0.0, 0.0, 0.0]
    turn = -(-len(messages) // turns // RUN) * RUN
    for start in range(0, len(messages), turn):
        part = messages[start : start + turn]
        seconds[0] += one_by_one(single, part)
        seconds[1] += await in_runs(database, part)
        seconds[2] += copied(copy, part, _FIRST_ID + start)
    database.close()
    single.dispose()
    copy.dispose()
    for way in range(3):
        _drop(server, f"{_TEMPLATE}_{way}")
    return seconds[0], seconds[1], seconds[2]


def _copy_of(server: Postgres, name: str) -> str:
    with closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy")
    return server.url(name)


def _drop(server: Postgres, name: str) -> None:
    with closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
