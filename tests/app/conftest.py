"""A daemon of its own for a test: real queues over HTTP, a real database, its port and its log."""

import json
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import uuid4

import boto3
import pytest

from orca_daemon.local.daemon import Daemon
from orca_daemon.local.moto import CREDENTIALS, REGION
from tests.conftest import Server
from tests.waiting import PATIENCE


@dataclass
class Running:
    """A running daemon, with its log, queue and settings file."""

    daemon: Daemon
    log: Path
    sqs: Any
    queue: str
    settings: Path
    """The settings file; empty at first."""

    @property
    def url(self) -> str:
        return self.daemon.url

    @property
    def pid(self) -> int:
        assert self.daemon.pid is not None
        return self.daemon.pid

    def get(self, path: str, timeout: float = PATIENCE) -> tuple[int, str]:
        try:
            with urlopen(f"{self.url}{path}", timeout=timeout) as answer:  # noqa: S310  our own address
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def checks(self, path: str) -> tuple[int, dict[str, bool]]:
        status, text = self.get(path)
        return status, {line["name"]: line["ok"] for line in map(json.loads, text.splitlines())}

    def value(self, series: str) -> float:
        """The value of a series, named as in the exposition without the prefix."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"orca_daemon_{series} "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"{series} is not exported")

    def signal(self, name: signal.Signals) -> None:
        os.kill(self.pid, name)

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line[:1] == "{"]
        return [line for line in lines if line["event"] == name]

    def send(self, body: object, **attributes: str) -> None:
        self.sqs.send_message(
            QueueUrl=self.queue,
            MessageBody=body if isinstance(body, str) else json.dumps(body),
            MessageGroupId="request_files",
            MessageDeduplicationId=uuid4().hex,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )


@pytest.fixture
def program() -> tuple[str, ...]:
    """Arguments of the daemon's Python; a test module may override them."""
    return Daemon.program


@pytest.fixture
def extra_environment() -> Mapping[str, str]:
    """More environment variables of the daemon; a test module may override them."""
    return {}


@dataclass(frozen=True)
class DaemonSetup:
    """What a daemon needs to start: a queue, settings, a port, environment variables."""

    sqs: Any
    queue: str
    settings: Path
    """The settings file, empty at first."""
    port: int
    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def daemon_setup(
    endpoint: str, database_url: str, folder: Path, more: Mapping[str, str]
) -> Iterator[DaemonSetup]:
    """Create a status queue and choose a port, for a daemon on this database."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with closing(boto3.client("sqs", endpoint_url=endpoint, region_name=REGION)) as sqs:
        queue, settings = make_queue(sqs), folder / "settings.toml"
        settings.touch()
        environment = {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": endpoint,
            "STATUS_UPDATE_QUEUE_URL": queue,
            "DATABASE_URL": database_url,
            "ORCA_ENGINE__WAIT": "1",
            "ORCA_HTTP__PORT": str(port),
            "ORCA_CONFIG": str(settings),
            **more,
        }
        yield DaemonSetup(sqs, queue, settings, port, environment)


@contextmanager
def running_daemon(prepared: DaemonSetup, folder: Path, program: tuple[str, ...]) -> Iterator[Running]:
    """A daemon that is ready; it is stopped at the end of the block."""
    daemon = Daemon(prepared.environment, prepared.url, log=folder / "log")
    daemon.program = program
    daemon.start()
    yield Running(daemon, folder / "log", prepared.sqs, prepared.queue, prepared.settings)
    daemon.stop(patience=10)


@pytest.fixture
def prepared(
    sqs_endpoint: str, database_url: str, tmp_path: Path, extra_environment: Mapping[str, str]
) -> Iterator[DaemonSetup]:
    """What a daemon of this test alone needs to start."""
    with daemon_setup(sqs_endpoint, database_url, tmp_path, extra_environment) as made:
        yield made


@pytest.fixture
def running(prepared: DaemonSetup, tmp_path: Path, program: tuple[str, ...]) -> Iterator[Running]:
    """A daemon of this test alone."""
    with running_daemon(prepared, tmp_path, program) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def shared(
    postgres: Server, sqs_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A daemon shared by the tests of a module, which must leave it unchanged; it may have worked before."""
    folder, url = tmp_path_factory.mktemp("shared"), postgres.migrated()
    with (
        daemon_setup(sqs_endpoint, url, folder, {}) as prepared,
        running_daemon(prepared, folder, Daemon.program) as daemon,
    ):
        yield daemon
    postgres.drop(url)


def make_queue(sqs: Any) -> str:
    """Create a FIFO queue with a dead-letter queue; returns its URL."""
    name, fifo = uuid4().hex[:12], {"FifoQueue": "true"}
    dead = sqs.create_queue(QueueName=f"{name}-dead.fifo", Attributes=fifo)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "10"})
    attributes = {**fifo, "RedrivePolicy": policy}
    return str(sqs.create_queue(QueueName=f"{name}.fifo", Attributes=attributes)["QueueUrl"])
