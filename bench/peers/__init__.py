"""The daemon beside what a user would pick instead, on the same SQS: receive, do nothing, delete.

`./dev bench peers`.  Each is a process of its own, and they take turns.  The peers live in an environment of
their own (`bench/peers/environment.py`); what cannot be installed is left out.  The peers of other work are
measured with it: `./dev bench copy`, `export` and `reconcile`.
"""

import os
from collections.abc import Iterator, Mapping

from bench.peers import environment
from bench.report import Report, Target
from bench.route import LEAST, LOOPS, MICRO, OURS, Contender, Cost, in_turns, worker
from bench.size import Size
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.moto import CREDENTIALS
from orca_daemon.local.postgres import Postgres

GROUPS = 200
QUEUES = {"standard": 0, "FIFO, one group": 1, f"FIFO, {GROUPS} groups": GROUPS}
"""Kind of queue to number of groups; 0 is a standard queue."""


def measure(size: Size) -> Report:
    """Messages a second and CPU a message, of everybody; the daemon's share of each rate."""
    os.environ.update(CREDENTIALS)
    count, turns = size.pick(10_000, 3_000, 20), size.pick(3, 2, 1)
    figures: dict[str, float] = {}
    targets: list[Target] = []
    with Postgres(fast=True) as server, Endpoint("orca_daemon.local.sqs", ("0",)) as sqs:
        for queue, groups in size.pick(QUEUES, QUEUES, {"standard": 0}).items():
            costs = in_turns(sqs.url, _contenders(server.url(), groups, size), count, groups, turns)
            for name, cost in costs.items():
                figures[f"{queue}: {name}, messages/s"] = count * turns / cost.seconds
                figures[f"{queue}: {name}, CPU, µs a message"] = cost.processor / count / turns * MICRO
            targets += _targets(queue, costs)
    return Report(name="peers", figures=figures, targets=targets)


def _targets(queue: str, costs: Mapping[str, Cost]) -> Iterator[Target]:
    """The best of ours beside each other; the loop on the same client is no contender, but the ceiling."""
    ours = min(cost.seconds for name, cost in costs.items() if name.startswith(OURS))
    for name, cost in costs.items():
        if not name.startswith((OURS, "bare loop, same client")):
            least = LEAST.get(queue, 0.7) if name.startswith("bare") else 1.0
            yield Target(name=f"{queue}: ours / {name}", measured=cost.seconds / ours, at_least=least)


def _contenders(database: str, groups: int, size: Size) -> Mapping[str, Contender]:
    ours = {OURS: "strict" if groups else "standard"}
    if groups:
        ours[f"{OURS}, pipelined"] = "pipelined"
    found: dict[str, Contender] = {name: worker(kind, database) for name, kind in ours.items()}
    found |= {name: worker("bare", database, **settings) for name, settings in LOOPS.items()}
    return found if size is Size.TINY else {**found, **environment.peers()}
