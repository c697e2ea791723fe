"""Fixtures: a real Postgres and real AWS endpoints over HTTP, one of each for a process that runs tests."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch
from uuid import uuid4

import boto3
import botocore.loaders
import psycopg2
import pytest

from orca_daemon.db.migrate import upgrade
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.layout import QueueSpec, make_queue
from orca_daemon.local.moto import CREDENTIALS, REGION, Moto
from orca_daemon.local.postgres import Postgres
from orca_daemon.ops.gc_tuning import tune_gc
from tests.memory import directory

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

_FAULTS = Path(__file__).parent / "faults"
_FOREIGN = ("AWS_", "ORCA_", "DATABASE_", "PREFIX", "PG")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their parameter: what they hold may differ from run to run, as gzip's time of making."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of faults, for `./dev faults`."""
    for item in items:
        if _FAULTS in item.path.parents:
            item.add_marker("faults")


def pytest_collection_finish() -> None:
    """Never look for garbage among the modules and tests that were loaded: they stay."""
    tune_gc()


def pytest_unconfigure() -> None:
    """Let the interpreter collect what it loaded: DuckDB prints what is left when it ends."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def bare_environment() -> None:
    """No settings, no credentials and no endpoint of whoever runs the tests; the embedded ones instead."""
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        if name not in {"AWS_CA_BUNDLE", "ORCA_PG_BIN"}:
            del os.environ[name]
    os.environ.update(CREDENTIALS, AWS_EC2_METADATA_DISABLED="true")
    # A shell starts what runs in the background with Ctrl-C ignored, and every child inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def service_models_are_read_once() -> Iterator[None]:
    """Share botocore's descriptions of AWS among sessions: reading them is most of the cost of a client."""
    with patch("botocore.session.create_loader", cache(botocore.loaders.create_loader)):
        yield


class Server:
    """A PostgreSQL server, and databases on it."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self.url = postgres.url()
        self._template = ""

    def empty(self) -> str:
        """URL of a new database with nothing in it."""
        return self._create("template0")

    def migrated(self) -> str:
        """URL of a new database at the current schema."""
        if not self._template:
            url = self.empty()
            upgrade(url)
            self._template = url.rpartition("/")[2]
        return self._create(self._template)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    def _create(self, template: str) -> str:
        name = f"t_{uuid4().hex}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return self._postgres.url(name)

    def _execute(self, statement: str) -> None:
        with closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with directory() as folder, Postgres(folder / "data", fast=True) as server:
        yield Server(server)


@pytest.fixture
def empty_database(postgres: Server) -> Iterator[str]:
    """URL of a new, empty database."""
    url = postgres.empty()
    yield url
    postgres.drop(url)


@pytest.fixture
def database_url(postgres: Server) -> Iterator[str]:
    """URL of a new database at the current schema."""
    url = postgres.migrated()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="session")
def aws_endpoint(bare_environment: None) -> Iterator[str]:
    """URL of S3, Secrets Manager, SSM and STS."""
    with Moto() as server:
        yield server.url


@pytest.fixture(scope="session")
def s3(aws_endpoint: str) -> "Iterator[S3Client]":
    with closing(boto3.client("s3", endpoint_url=aws_endpoint, region_name=REGION)) as client:
        yield client


@pytest.fixture
def bucket(s3: "S3Client") -> Callable[[], str]:
    """Makes buckets: each call a new one, empty."""

    def make() -> str:
        name = f"b-{uuid4().hex}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    return make


@pytest.fixture(scope="session")
def sqs_endpoint(bare_environment: None) -> Iterator[str]:
    """URL of our own SQS."""
    with Endpoint("orca_daemon.local.sqs") as server:
        yield server.url


@pytest.fixture(scope="session")
def sqs(sqs_endpoint: str) -> "Iterator[SQSClient]":
    with closing(boto3.client("sqs", endpoint_url=sqs_endpoint, region_name=REGION)) as client:
        yield client


@dataclass(frozen=True, slots=True)
class QueuePair:
    """A queue and its dead-letter queue."""

    url: str
    dead_letter_url: str


@pytest.fixture
def queues(sqs: "SQSClient") -> Callable[..., QueuePair]:
    """Makes queues with dead-letter queues: `queues(fifo=True, visibility=30)`, each call new ones."""

    def make(*, fifo: bool = False, visibility: int = 120) -> QueuePair:
        name, end = f"q-{uuid4().hex}", ".fifo" if fifo else ""
        spec = QueueSpec(name + end, f"{name}-dead{end}", visibility, 345_600)
        return QueuePair(*make_queue(sqs, spec))

    return make
