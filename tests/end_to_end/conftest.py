"""A deployment for each test: its own queues, buckets and database, and the daemon as a process."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psycopg2
import pytest

from orca_daemon.aws.sqs_messages import EVIDENCE
from orca_daemon.local.daemon import Daemon, foreign_removed
from orca_daemon.local.layout import DEAD_LETTER, QUEUES
from orca_daemon.local.moto import REGION, Moto
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
    """A message from a dead-letter queue."""

    body: str
    attributes: Mapping[str, Any]
    evidence: Mapping[str, Any]


@dataclass
class Deployment:
    """The queues, buckets and database of one test, and the daemons that it started."""

    s3: "S3Client"
    sqs: "SQSClient"
    database_url: str
    queues: Mapping[str, str]
    buckets: Mapping[str, str]
    environment: dict[str, str]
    log: Path
    daemons: list[Daemon] = field(default_factory=list)

    def start(self, **settings: str) -> Daemon:
        """Start a daemon and wait until it is ready; settings by the names of their environment variables."""
        daemon = self.launch(**settings)
        daemon.ready()
        return daemon

    def launch(self, **settings: str) -> Daemon:
        """Start a daemon without waiting for readiness; a setting with an empty value is left out."""
        url = f"http://127.0.0.1:{free_port()}"
        addresses = daemon_environment(self.database_url, url, self.queues, self.buckets)
        environment = {**self.environment, **addresses, **settings}
        daemon = Daemon({name: value for name, value in environment.items() if value}, url, self.log)
        self.daemons.append(daemon)
        daemon.launch()
        return daemon

    def run_to_exit(self, **settings: str) -> tuple[int, str]:
        """Run a daemon whose start must fail; returns its exit code and its output."""
        addresses = daemon_environment(self.database_url, "http://127.0.0.1:0", self.queues, self.buckets)
        environment = foreign_removed({}) | self.environment | addresses | settings
        process = subprocess.run(
            [sys.executable, "-m", "orca_daemon", "run"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return process.returncode, process.stdout + process.stderr

    def send(self, queue: str, message: Outgoing) -> None:
        """Send a message to the queue with this name in the settings."""
        send(message, self.queues[queue], client=self.sqs)

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows."""
        with closing(psycopg2.connect(self.database_url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def dead_letters(self, queue: str, count: int) -> list[DeadLetter]:
        """Receive and delete `count` dead letters of a queue; fails if there are fewer after `PATIENCE`."""
        received: list[DeadLetter] = []
        deadline = time.monotonic() + PATIENCE
        while len(received) < count:
            assert time.monotonic() < deadline, f"{len(received)} of {count} dead letters\n{self.output()}"
            received += self._receive_dead_letters(self.queues[queue + DEAD_LETTER])
        return received

    def await_rows(self, expected: list[tuple[Any, ...]], statement: str, *parameters: object) -> None:
        """Wait until a query returns the expected rows; fails after `PATIENCE`."""
        self.until(lambda: self.rows(statement, *parameters), expected)

    def await_empty(self, *queues: str) -> None:
        """Wait until the queues have no message, visible or in flight."""
        for name in queues:
            self.until(lambda name=name: self.left(name), 0)  # type: ignore[misc]

    def left(self, queue: str) -> int:
        """Count the messages that are left on a queue, visible and in flight."""
        response = self.sqs.get_queue_attributes(QueueUrl=self.queues[queue], AttributeNames=["All"])
        counts = response["Attributes"]
        return int(counts["ApproximateNumberOfMessages"]) + int(
            counts["ApproximateNumberOfMessagesNotVisible"]
        )

    def until(self, actual: Callable[[], Any], expected: object) -> None:
        """Wait until `actual()` equals `expected`; fails after `PATIENCE` with both values and the log."""
        until(lambda: actual() == expected, output=lambda: f"{actual()}, not {expected}\n{self.output()}")

    def output(self) -> str:
        """The last 20 lines of the daemons' log."""
        return "\n".join(self.log.read_text().splitlines()[-20:])

    def _receive_dead_letters(self, url: str) -> Iterator[DeadLetter]:
        response = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]
        )
        for message in response.get("Messages", []):
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
    for name, spec in QUEUES.items():
        pair = queues(fifo=spec.fifo)
        urls[name], urls[name + DEAD_LETTER] = pair.url, pair.dead_letter_url
    deployed = Deployment(
        s3=s3,
        sqs=sqs,
        database_url=database_url,
        queues=urls,
        buckets={role: bucket() for role in ("archive", "protected", "public", "reports", "export")},
        environment=clients_environment(aws_endpoint, sqs_endpoint),
        log=tmp_path / "daemon.log",
    )
    yield deployed
    codes = [daemon.stop() for daemon in deployed.daemons]
    # -9: the test itself killed the daemon.  Any other exit code is a fault of the daemon.
    assert set(codes) <= {0, -9}, deployed.output()


@pytest.fixture(scope="session")
def restoring_endpoint(sqs_endpoint: str) -> Iterator[str]:
    """URL of an S3 that takes half a second for a restore, and announces it."""
    with Moto(restore_seconds=0.5, sqs=sqs_endpoint) as moto:
        yield moto.url


@pytest.fixture
def loop(deployment: Deployment, restoring_endpoint: str, sqs_endpoint: str) -> Iterator[Deployment]:
    """A deployment on that S3, whose events go to the recovery queue."""
    with closing(boto3.client("s3", endpoint_url=restoring_endpoint, region_name=REGION)) as s3:
        for name in deployment.buckets.values():
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        _announce(s3, deployment)
        yield replace(deployment, s3=s3, environment=clients_environment(restoring_endpoint, sqs_endpoint))


def _announce(s3: Any, deployment: Deployment) -> None:
    url = deployment.queues["recovery"]
    arn = deployment.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    events: Any = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectRestore:*"]}]}
    s3.put_bucket_notification_configuration(
        Bucket=deployment.buckets["archive"], NotificationConfiguration=events
    )
