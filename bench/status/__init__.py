"""Status updates into Postgres, against one transaction for each message; and a whole queue drained.

Ours includes the lock, the stale rule and the check for unknown files, which ORCA's does without.
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
from bench.status.workload import Sent, messages
from orca_daemon.aws.clients import connect
from orca_daemon.db.migrate import upgrade
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.moto import CREDENTIALS
from orca_daemon.local.postgres import Postgres
from orca_daemon.ops.gc_tuning import tune_gc

GROUPS = 200
RUN_OF_ONE_GROUP = 10
"""SQS hands out at most ten messages of a group at a time."""
RUN_OF_MANY = 100
TIMES_ONE, TIMES_MANY = 4.0, 8.0
SHARE_ONE, SHARE_MANY = 0.40, 0.55
TURNS = 3
"""Of the bare loop and the daemon: one queue's worth of either varies by a tenth from time to time."""


def measure(size: Size) -> Report:
    """Both sides, on the same server."""
    os.environ.update(CREDENTIALS)
    tune_gc()  # as the daemon does; the other side gains from it, too
    count, turns = size.pick(22_000, 2_200, 220), size.pick(TURNS, TURNS, 1)
    shapes = (("one group", 1), (f"{GROUPS} groups", size.pick(GROUPS, GROUPS, 20)))
    figures: dict[str, float] = {}
    with Postgres() as server:
        sent = {name: messages(count, groups=groups) for name, groups in shapes}
        rates = {}
        for (name, _), run in zip(shapes, (RUN_OF_ONE_GROUP, RUN_OF_MANY), strict=True):
            decoded = database.decoded(sent[name])
            with _fresh(server) as first, _fresh(server) as second:
                alone, together = database.compare((first, second), decoded, run)
            figures[f"{name}: a transaction for each message, messages/s"] = len(decoded) / alone
            figures[f"{name}: runs of {run}, messages/s"] = len(decoded) / together
            rates[name] = alone / together
        shares = {}
        with Endpoint("orca_daemon.local.sqs", ("0",)) as sqs:
            for name, _ in shapes:
                bare = whole = 0.0
                for _ in range(turns):
                    with _fresh(server) as url:
                        seconds = asyncio.run(_drained(sqs.url, url, sent[name]))
                    bare, whole = bare + seconds[0], whole + seconds[1]
                done = turns * len(sent[name])
                figures[f"{name}: receive and delete alone, messages/s"] = done / bare
                figures[f"{name}: from the queue into Postgres, messages/s"] = done / whole
                shares[name] = bare / whole
    (one, _), (many, _) = shapes
    return Report(
        name="status",
        figures=figures,
        targets=[
            Target(name=f"times faster, {one}", measured=rates[one], at_least=TIMES_ONE),
            Target(name=f"times faster, {many}", measured=rates[many], at_least=TIMES_MANY),
            Target(name=f"share of receive and delete, {one}", measured=shares[one], at_least=SHARE_ONE),
            Target(name=f"share of receive and delete, {many}", measured=shares[many], at_least=SHARE_MANY),
        ],
    )


async def _drained(endpoint: str, url: str, sent: Sequence[Sent]) -> tuple[float, float]:
    """Seconds for the bare loop, and for the daemon, over the same messages."""
    async with connect(drain.settings(endpoint, endpoint, url)) as clients:
        queues = [
            await drain.preload(clients.control, f"{kind}-{uuid4().hex[:8]}.fifo", sent)
            for kind in ("bare", "whole")
        ]
    bare = await drain.bare(drain.settings(endpoint, queues[0], url), queues[0], len(sent))
    return bare, await drain.daemon(drain.settings(endpoint, queues[1], url), len(sent))


@contextmanager
def _fresh(server: Postgres) -> Iterator[str]:
    """A database at the current schema, for one measurement."""
    name = f"bench_{uuid4().hex[:8]}"
    with closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
        upgrade(server.url(name))
        yield server.url(name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
