"""Throughput of one, two and four daemons on one status queue; time of a start, and of a stop under load."""

import os
import re
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import boto3
import psycopg2

from bench.report import Report, Target
from bench.size import Size
from bench.status.workload import Sent, messages
from orca_daemon.db.migrate import upgrade
from orca_daemon.local.daemon import Daemon
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.local.ports import free_port
from orca_daemon.local.postgres import Postgres

GROUPS = 200
SIZES = (1, 2, 4)
PATIENCE = 300.0
_DELETED = re.compile(r'messages_settled_total\{outcome="deleted",queue="status_update"\} (\S+)')


def measure(size: Size) -> Report:
    """Throughput by number of processes; each message must be deleted exactly once."""
    os.environ.update(CREDENTIALS)
    sent = messages(size.pick(22_000, 4_400, 220), groups=size.pick(GROUPS, GROUPS, 20))
    figures: dict[str, float] = {}
    unaccounted = 0.0
    with Postgres(fast=size is Size.TINY) as server, Endpoint("orca_daemon.local.sqs", ("0",)) as sqs:
        client = boto3.client("sqs", endpoint_url=sqs.url, region_name=REGION)
        with closing(client):
            for count in size.pick(SIZES, SIZES, (2,)):
                url = _database(server)
                queue = _queue(client)
                with _daemons(count, sqs.url, queue, url) as (daemons, ready):
                    figures.setdefault("start to ready, s", ready)
                    seconds = _drain(daemons, client, queue, sent)
                    figures[f"{count} processes, messages/s"] = len(sent) / seconds
                    unaccounted += abs(len(sent) - sum(map(_deleted, daemons)))
            figures["stop in the middle of work, s"], code, left = _stop_under_load(
                client, sqs.url, server, sent
            )
    return Report(
        name="fleet",
        figures=figures,
        targets=[
            Target(name="messages not deleted exactly once", measured=unaccounted, at_most=0),
            Target(name="exit code of the stop", measured=code, at_most=0),
            Target(name="messages left in flight by the stop", measured=left, at_most=0),
        ],
    )


def _drain(daemons: list[Daemon], client: Any, queue: str, sent: Sequence[Sent]) -> float:
    """Seconds from the moment when all daemons resume polling until the queue is empty."""
    _toggle_pause(daemons)
    _load(client, queue, sent)
    began = time.monotonic()
    _toggle_pause(daemons)
    while _count(client, queue):
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"the queue is not empty after {PATIENCE:g} seconds")
        time.sleep(0.02)
    return time.monotonic() - began


def _stop_under_load(
    client: Any, endpoint: str, server: Postgres, sent: Sequence[Sent]
) -> tuple[float, float, float]:
    """Seconds from SIGTERM to the exit, the exit code, and the number of messages left in flight."""
    queue = _queue(client)
    with _daemons(1, endpoint, queue, _database(server)) as (daemons, _):
        [daemon] = daemons
        _load(client, queue, sent)
        while not _deleted(daemon):
            time.sleep(0.01)
        began = time.monotonic()
        code = daemon.stop()
        seconds = time.monotonic() - began
    attributes = client.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return seconds, float(code or 0), float(attributes["ApproximateNumberOfMessagesNotVisible"])


def _toggle_pause(daemons: list[Daemon]) -> None:
    """Pause polling, or resume it, and wait until every daemon has done so."""
    before = [_paused(daemon) for daemon in daemons]
    for daemon in daemons:
        os.kill(daemon.pid or 0, signal.SIGUSR2)
    while any(_paused(daemon) == was for daemon, was in zip(daemons, before, strict=True)):
        time.sleep(0.005)


def _paused(daemon: Daemon) -> bool:
    return 'queue_paused{queue="status_update"} 1.0' in _metrics(daemon)


def _deleted(daemon: Daemon) -> float:
    match = _DELETED.search(_metrics(daemon))
    return float(match[1]) if match else 0.0


def _metrics(daemon: Daemon) -> str:
    with urlopen(f"{daemon.url}/metrics", timeout=10) as response:  # noqa: S310  our own address
        text: str = response.read().decode()
    return text


@contextmanager
def _daemons(size: int, endpoint: str, queue: str, database: str) -> Iterator[tuple[list[Daemon], float]]:
    """`size` daemons that are ready, and the seconds until the first one was."""
    daemons = []
    began = time.monotonic()
    ready = 0.0
    for _ in range(size):
        url = f"http://127.0.0.1:{free_port()}"
        daemon = Daemon(_environment(endpoint, queue, database, url), url, Path(os.devnull))
        daemon.launch()
        daemons.append(daemon)
    try:
        for daemon in daemons:
            daemon.ready()
            ready = ready or time.monotonic() - began
        yield daemons, ready
    finally:
        for daemon in daemons:
            if daemon.poll() is None:
                daemon.stop()


def _environment(endpoint: str, queue: str, database: str, url: str) -> Mapping[str, str]:
    return {
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "STATUS_UPDATE_QUEUE_URL": queue,
        "DATABASE_URL": database,
        "ORCA_ENGINE__WAIT": "1",
        "ORCA_HTTP__PORT": url.rpartition(":")[2],
    }


def _database(server: Postgres) -> str:
    name = f"fleet_{uuid4().hex[:8]}"
    with closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
    upgrade(server.url(name))
    return server.url(name)


def _queue(client: Any) -> str:
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "120"}
    return str(client.create_queue(QueueName=f"{uuid4().hex}.fifo", Attributes=attributes)["QueueUrl"])


def _count(client: Any, queue: str) -> int:
    counts = client.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesNotVisible"])


def _load(client: Any, queue: str, sent: Sequence[Sent]) -> None:
    for start in range(0, len(sent), 10):
        client.send_message_batch(
            QueueUrl=queue,
            Entries=[
                {
                    "Id": str(number),
                    "MessageBody": one.body,
                    "MessageGroupId": one.group,
                    "MessageDeduplicationId": f"{start}-{number}",
                    "MessageAttributes": {"RequestMethod": {"DataType": "String", "StringValue": one.method}},
                }
                for number, one in enumerate(sent[start : start + 10])
            ],
        )
