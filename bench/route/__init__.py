"""The daemon with a route of one message a run, beside bare loops of receive and delete.

Each is a process of its own, against the same SQS over HTTP.  The daemon's metrics and log lines are on, and
somebody reads the log.  A loop through aiobotocore is what one would write instead of a daemon; one on the
daemon's own client shows what leases, order, retries, metrics and log lines cost.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from uuid import uuid4

import boto3
import psycopg2

from bench.report import Report, Target
from bench.size import Size
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.local.postgres import Postgres

OURS = "orca-daemon"
BODY = "x" * 300
GROUPS = 200
MICRO = 1e6
SHAPES = {
    "standard": ("standard", 0),
    "FIFO, one group": ("strict", 1),
    f"FIFO, {GROUPS} groups": ("strict", GROUPS),
    "pipelined, one group": ("pipelined", 1),
    f"pipelined, {GROUPS} groups": ("pipelined", GROUPS),
    "standard, a row a message": ("row", 0),
}
"""Kinds of routes (`bench.route.worker`) with the number of groups; 0 is a standard queue."""
TINY = [("pipelined, one group", SHAPES["pipelined, one group"])]
LEAST = {"standard": 0.9, "pipelined, one group": 0.7, f"pipelined, {GROUPS} groups": 0.7}
"""Messages a second, compared with the bare loop through aiobotocore."""
LOOPS: Mapping[str, Mapping[str, str]] = {
    "bare loop, aiobotocore": {"BENCH_DIRECT_CALLS": "false"},
    "bare loop, same client": {},
}
"""Loops of receive and delete, and their settings."""


def measure(size: Size) -> Report:
    """Daemon and bare loops in turns, so that a slow minute of the machine hits all."""
    os.environ.update(CREDENTIALS)
    count, turns = size.pick(10_000, 3_000, 40), size.pick(3, 2, 1)
    figures: dict[str, float] = {}
    targets: list[Target] = []
    with Postgres(fast=True) as server, Endpoint("orca_daemon.local.sqs", ("0",)) as sqs:
        with closing(psycopg2.connect(server.url())) as connection, connection, connection.cursor() as cursor:
            cursor.execute("CREATE UNLOGGED TABLE row_a_message (number int)")
        for name, (kind, groups) in size.pick(list(SHAPES.items()), list(SHAPES.items()), TINY):
            workers = {OURS: worker(kind, server.url())}
            workers |= {loop: worker("bare", server.url(), **settings) for loop, settings in LOOPS.items()}
            costs = in_turns(sqs.url, workers, count, groups, turns)
            for who, cost in costs.items():
                figures[f"{name}: {who}, messages/s"] = count * turns / cost.seconds
                figures[f"{name}: {who}, CPU, µs a message"] = cost.processor / count / turns * MICRO
            figures[f"{name}: receives a message"] = costs[OURS].receives / count / turns
            for loop in LOOPS:
                share = costs[loop].seconds / costs[OURS].seconds
                figures[f"{name}: our rate / {loop}"] = share
                if name in LEAST and loop.endswith("aiobotocore"):
                    targets.append(Target(name=f"{name} / {loop}", measured=share, at_least=LEAST[name]))
    return Report(name="route", figures=figures, targets=targets)


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took to empty a queue; costs can be added."""

    seconds: float = 0.0
    processor: float = 0.0
    """Seconds of CPU."""
    receives: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.seconds + other.seconds,
            self.processor + other.processor,
            self.receives + other.receives,
        )


Contender = Callable[[str, str, int], Cost]
"""Empties a queue (URL of SQS, URL of the queue, number of messages)."""


def in_turns(
    endpoint: str, contenders: Mapping[str, Contender], count: int, groups: int, turns: int
) -> Mapping[str, Cost]:
    """What each took in all turns together."""
    totals = dict.fromkeys(contenders, Cost())
    for _ in range(turns):
        for name, contender in contenders.items():
            totals[name] += contender(endpoint, filled(endpoint, count, groups), count)
    return totals


def worker(kind: str, database: str, **environment: str) -> Contender:
    """One of our own, by its kind in `bench.route.worker`."""

    def empty(endpoint: str, queue: str, count: int) -> Cost:
        command = [sys.executable, "-m", "bench.route.worker", kind, queue, str(count)]
        return run(command, endpoint, DATABASE_URL=database, **environment)

    return empty


def run(command: Sequence[str], endpoint: str, **environment: str) -> Cost:
    """Run a program whose last line of output is its cost, as JSON."""
    aws = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": endpoint}
    ended = subprocess.run(
        command, env={**os.environ, **aws, **environment}, stdout=subprocess.PIPE, check=True
    )
    return Cost(**json.loads(ended.stdout.splitlines()[-1]))


def filled(endpoint: str, count: int, groups: int) -> str:
    """The URL of a new queue with so many messages."""
    with closing(boto3.client("sqs", endpoint_url=endpoint, region_name=REGION)) as client:
        name, attributes = uuid4().hex, {"VisibilityTimeout": "120"}
        if groups:
            name, attributes = f"{name}.fifo", {**attributes, "FifoQueue": "true"}
        url = str(client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        for start in range(0, count, 10):
            entries = [{"Id": str(n), "MessageBody": BODY} for n in range(start, min(start + 10, count))]
            for entry in entries if groups else ():
                entry["MessageGroupId"] = f"g{int(entry['Id']) % groups}"
                entry["MessageDeduplicationId"] = entry["Id"]
            client.send_message_batch(QueueUrl=url, Entries=entries)
        return url
