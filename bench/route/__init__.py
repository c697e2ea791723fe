"""The daemon with a route of one message a run, beside a bare loop of receive and delete on the same client.

Each is a process of its own, against the same SQS over HTTP.  The daemon's metrics and log lines are on, and
somebody reads the log.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from uuid import uuid4

import boto3
import psycopg2

from bench.report import Report, Target
from bench.size import Size
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.local.ports import free_port
from orca_daemon.local.postgres import Postgres

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
"""Messages a second, compared with the bare loop."""


def measure(size: Size) -> Report:
    """Daemon and bare loop in turns, so that a slow minute of the machine hits both."""
    os.environ.update(CREDENTIALS)
    count, turns = size.pick(10_000, 3_000, 40), size.pick(3, 2, 1)
    figures: dict[str, float] = {}
    targets: list[Target] = []
    with Postgres(fast=True) as server, Endpoint("orca_daemon.local.sqs", ("0",)) as sqs:
        with closing(psycopg2.connect(server.url())) as connection, connection, connection.cursor() as cursor:
            cursor.execute("CREATE UNLOGGED TABLE row_a_message (number int)")
        for name, (kind, groups) in size.pick(list(SHAPES.items()), list(SHAPES.items()), TINY):
            ours = theirs = (0.0, 0.0, 0.0)
            for _ in range(turns):
                ours = _sum(ours, _run(sqs.url, kind, count, groups, server.url()))
                theirs = _sum(theirs, _run(sqs.url, "bare", count, groups, server.url()))
            handled = count * turns
            figures[f"{name}: messages/s"] = handled / ours[0]
            figures[f"{name}: CPU, µs a message"] = ours[1] / handled * MICRO
            figures[f"{name}: receives a message"] = ours[2] / handled
            figures[f"{name}: bare loop, messages/s"] = handled / theirs[0]
            figures[f"{name}: bare loop, CPU, µs a message"] = theirs[1] / handled * MICRO
            if name in LEAST:
                share = theirs[0] / ours[0]
                targets.append(Target(name=f"{name} / bare loop", measured=share, at_least=LEAST[name]))
    return Report(name="route", figures=figures, targets=targets)


def _sum(total: tuple[float, float, float], more: tuple[float, float, float]) -> tuple[float, float, float]:
    return total[0] + more[0], total[1] + more[1], total[2] + more[2]


def _run(endpoint: str, kind: str, count: int, groups: int, database: str) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and receives of one process that empties a new queue."""
    queue = _filled(endpoint, count, groups)
    worker = subprocess.run(
        [sys.executable, "-m", "bench.route.worker", kind, queue, str(count)],
        env={**os.environ, **_environment(endpoint, database)},
        stdout=subprocess.PIPE,
        check=True,
    )
    result = json.loads(worker.stdout.splitlines()[-1])
    return result["seconds"], result["processor"], result["receives"]


def _environment(endpoint: str, database: str) -> Mapping[str, str]:
    return {
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "DATABASE_URL": database,
        "ORCA_HTTP__PORT": str(free_port()),
        "ORCA_ENGINE__WAIT": "1",
    }


def _filled(endpoint: str, count: int, groups: int) -> str:
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
