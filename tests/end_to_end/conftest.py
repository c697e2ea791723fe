"""A deployment for each test: queues, buckets and a database of its own, and the daemon as a process."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from orca_daemon.aws.sqs import EVIDENCE
from orca_daemon.local.daemon import Daemon, foreign_removed
from orca_daemon.local.layout import DEAD_LETTER
from orca_daemon.local.ports import free_port
from orca_daemon.local.stack import clients_environment, daemon_environment
from orca_daemon.producer import send
from orca_daemon.wire.outgoing import Outgoing
from tests.conftest import QueuePair
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient


@dataclass(frozen=True)
class DeadLetter:
    """A message that was set aside."""

    body: str
    attributes: Mapping[str, Any]
    evidence: Mapping[str, Any]


@dataclass
class Deployment:
    """Everything a daemon works with, and the daemon."""

    s3: "S3Client"
    sqs: "SQSClient"
    database_url: str
    queues: Mapping[str, str]
    buckets: Mapping[str, str]
    environment: dict[str, str]
    log: Path
    daemons: list[Daemon] = field(default_factory=list)

    def start(self, **settings: str) -> Daemon:
        """Start a daemon, ready; settings by their environment names."""
        daemon = self.launch(**settings)
        daemon.ready()
        return daemon

    def launch(self, **settings: str) -> Daemon:
        """Begin to start a daemon; a setting that is empty is left out."""
        url = f"http://127.0.0.1:{free_port()}"
        where = daemon_environment(self.database_url, url, self.queues, self.buckets)
        reported = {**self.environment, **where, **settings}
        daemon = Daemon({name: value for name, value in reported.items() if value}, url, self.log)
        self.daemons.append(daemon)
        daemon.launch()
        return daemon

    def refuse(self, **settings: str) -> tuple[int, str]:
        """Run a daemon that should not start; its exit code and what it said."""
        where = daemon_environment(self.database_url, "http://127.0.0.1:0", self.queues, self.buckets)
        environment = foreign_removed({}) | self.environment | where | settings
        ended = subprocess.run(
            [sys.executable, "-m", "orca_daemon", "run"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def send(self, queue: str, message: Outgoing) -> None:
        """Put a message on the queue that the settings call so."""
        send(message, self.queues[queue], client=self.sqs)

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What a query answers."""
        with closing(psycopg2.connect(self.database_url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def dead_letters(self, queue: str, count: int) -> list[DeadLetter]:
        """The first `count` dead letters of a queue, taken off it; fails when they do not come."""
        letters: list[DeadLetter] = []
        deadline = time.monotonic() + PATIENCE
        while len(letters) < count:
            assert time.monotonic() < deadline, f"{len(letters)} of {count} dead letters\n{self.output()}"
            letters += self._take(self.queues[queue + DEAD_LETTER])
        return letters

    def await_rows(self, expected: list[tuple[Any, ...]], statement: str, *parameters: object) -> None:
        """Return when a query answers so; fails when it does not."""
        self.until(lambda: self.rows(statement, *parameters), expected)

    def await_empty(self, *queues: str) -> None:
        """Return when nothing is left on the queues, waiting or in work."""
        for name in queues:
            self.until(lambda name=name: self.left(name), 0)  # type: ignore[misc]

    def left(self, queue: str) -> int:
        """How many messages a queue has, waiting or in work."""
        answer = self.sqs.get_queue_attributes(QueueUrl=self.queues[queue], AttributeNames=["All"])
        counted = answer["Attributes"]
        return int(counted["ApproximateNumberOfMessages"]) + int(
            counted["ApproximateNumberOfMessagesNotVisible"]
        )

    def until(self, ask: Callable[[], Any], expected: object) -> None:
        """Ask until the answer is the expected one."""
        until(lambda: ask() == expected, output=lambda: f"{ask()}, not {expected}\n{self.output()}")

    def output(self) -> str:
        """The last that the daemon logged."""
        return "\n".join(self.log.read_text().splitlines()[-20:])

    def _take(self, url: str) -> Iterator[DeadLetter]:
        answer = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            attributes: dict[str, Any] = {**message.get("MessageAttributes", {})}
            evidence = attributes.pop(EVIDENCE, {}).get("StringValue", "{}")
            yield DeadLetter(message["Body"], attributes, json.loads(evidence))


@pytest.fixture
def deployment(
    database_url: str,
    s3: "S3Client",
    sqs: "SQSClient",
    aws_endpoint: str,
    sqs_endpoint: str,
    bucket: Callable[[], str],
    queues: Callable[..., QueuePair],
    tmp_path: Path,
) -> Iterator[Deployment]:
    urls = {}
    for name, fifo in {"status_update": True, "recovery": False, "internal_report": True}.items():
        pair = queues(fifo=fifo)
        urls[name], urls[name + DEAD_LETTER] = pair.url, pair.dead_letter_url
    made = Deployment(
        s3=s3,
        sqs=sqs,
        database_url=database_url,
        queues=urls,
        buckets={role: bucket() for role in ("archive", "protected", "public", "reports", "export")},
        environment=clients_environment(aws_endpoint, sqs_endpoint),
        log=tmp_path / "daemon.log",
    )
    yield made
    codes = [daemon.stop() for daemon in made.daemons]
    assert set(codes) <= {0, -9}, made.output()  # a test may kill one; none may fail
