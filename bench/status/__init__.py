"""Status updates written to Postgres, compared with one transaction per message; and a whole queue drained.

Our way includes the lock, the rule for stale updates and the check for unknown files; ORCA has none of them.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from uuid import uuid4

import psycopg2

from bench.report import Report, Target
from bench.size import Size
from bench.status import database, drain
from bench.status.workload import Sent, large_granule, messages
from orca_daemon.aws.clients import connect
from orca_daemon.db.migrate import upgrade
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.moto import CREDENTIALS
from orca_daemon.local.postgres import Postgres
from orca_daemon.ops.gc_tuning import tune_gc

TEMPLATE = "bench_template"
GROUPS = 200
RUN_OF_ONE_GROUP = 10
"""SQS delivers at most ten messages of a group at a time."""
RUN_OF_MANY = 100
MIN_SPEED_UP_ONE, MIN_SPEED_UP_MANY = 4.0, 8.0
MIN_SHARE = 0.15
"""Of the rate of receive and delete through the daemon's own client, which is 3.4 times aiobotocore's."""
MIN_LARGE = 0.5
TURNS = 3
"""Repetitions of the bare loop and the daemon: the time for one queue varies by about 10 %."""


def measure(size: Size) -> Report:
    """Both ways on the same server."""
    os.environ.update(CREDENTIALS)
    tune_gc()  # the daemon does so at its start; the baseline profits equally
    count, turns = size.pick(22_000, 2_200, 220), size.pick(TURNS, TURNS, 1)
    shapes = (("one group", 1), (f"{GROUPS} groups", size.pick(GROUPS, GROUPS, 20)))
    figures: dict[str, float] = {}
    with Postgres(fast=size is Size.TINY) as server:
        _create_template(server)
        sent = {name: messages(count, groups=groups) for name, groups in shapes}
        rates = {}
        for (name, _), run in zip(shapes, (RUN_OF_ONE_GROUP, RUN_OF_MANY), strict=True):
            decoded = database.decode_all(sent[name])
            with _new_database(server) as first, _new_database(server) as second:
                one_by_one, in_runs = database.compare((first, second), decoded, run)
            figures[f"{name}: a transaction for each message, messages/s"] = len(decoded) / one_by_one
            figures[f"{name}: runs of {run}, messages/s"] = len(decoded) / in_runs
            rates[name] = one_by_one / in_runs
        large = _large_granules(server, size)
        shares = {}
        with Endpoint("orca_daemon.local.sqs", ("0",)) as sqs:
            for name, _ in shapes:
                bare = full = 0.0
                for _ in range(turns):
                    with _new_database(server) as url:
                        seconds = asyncio.run(_drain_both(sqs.url, url, sent[name]))
                    bare, full = bare + seconds[0], full + seconds[1]
                processed = turns * len(sent[name])
                figures[f"{name}: receive and delete alone, messages/s"] = processed / bare
                figures[f"{name}: from the queue into Postgres, messages/s"] = processed / full
                shares[name] = bare / full
    figures |= {f"a granule of {files:,} files, messages/s": rate for files, rate in large.items()}
    (one, _), (many, _) = shapes
    return Report(
        name="status",
        figures=figures,
        targets=[
            Target(name=f"times faster, {one}", measured=rates[one], at_least=MIN_SPEED_UP_ONE),
            Target(name=f"times faster, {many}", measured=rates[many], at_least=MIN_SPEED_UP_MANY),
            Target(name=f"share of receive and delete, {one}", measured=shares[one], at_least=MIN_SHARE),
            Target(name=f"share of receive and delete, {many}", measured=shares[many], at_least=MIN_SHARE),
            Target(
                name="rate in the largest granule / in the smallest",
                measured=large[max(large)] / large[min(large)],
                at_least=MIN_LARGE,
            ),
        ],
    )


def _large_granules(server: Postgres, size: Size) -> dict[int, float]:
    """Messages a second by number of files, each granule in a database of its own."""
    rates = {}
    for files in size.pick((100, 1_000, 10_000), (100, 1_000, 10_000), (10, 100)):
        sent = database.decode_all(large_granule(files, updates=size.pick(20_000, 4_000, 100)))
        with _new_database(server) as url:
            rates[files] = database.rate(url, sent, RUN_OF_MANY)
    return rates


async def _drain_both(endpoint: str, url: str, sent: Sequence[Sent]) -> tuple[float, float]:
    """Seconds of the bare loop and of the daemon for the same messages."""
    async with connect(drain.settings(endpoint, endpoint, url)) as clients:
        queues = [
            await drain.preload(clients.control, f"{kind}-{uuid4().hex[:8]}.fifo", sent)
            for kind in ("bare", "full")
        ]
    bare = await drain.bare(drain.settings(endpoint, queues[0], url), queues[0], len(sent))
    return bare, await drain.daemon(drain.settings(endpoint, queues[1], url), len(sent))


@contextmanager
def _new_database(server: Postgres) -> Iterator[str]:
    """A new database with the current schema; it is dropped after the block."""
    name = f"bench_{uuid4().hex[:8]}"
    with closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        yield server.url(name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _create_template(server: Postgres) -> None:
    with closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {TEMPLATE}")
    upgrade(server.url(TEMPLATE))
