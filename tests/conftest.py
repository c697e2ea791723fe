"""Fixtures: a real Postgres and real AWS endpoints over HTTP, one of each per test process."""

import gc
import logging
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
import hypothesis
import psycopg2
import pytest
import structlog

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
_REMOVED_PREFIXES = ("AWS_", "ORCA_", "DATABASE_", "PREFIX", "PG")
_KEPT = {"AWS_CA_BUNDLE", "ORCA_PG_BIN"}

# A slow or busy machine fails no test: Hypothesis has no time limit here.  Fixtures of a function serve
# all examples: their tests clean up, or only add.
hypothesis.settings.register_profile(
    "here",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("here")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Use the parameter's name as the id of bytes: their content may differ between runs (gzip: its time)."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in tests/faults, so that `./dev faults` can select them."""
    for item in items:
        if _FAULTS in item.path.parents:
            item.add_marker("faults")


def pytest_collection_finish() -> None:
    """Exclude the loaded modules and tests from garbage collection: they live until the process ends."""
    tune_gc()


def pytest_unconfigure() -> None:
    """Undo `tune_gc`: DuckDB prints a warning for its objects that still exist when the interpreter exits."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command logs to the standard error of its process, which here ends with each call."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def bare_environment() -> None:
    """Remove the caller's settings, credentials and endpoints; set the embedded servers' credentials."""
    for name in [name for name in os.environ if name.startswith(_REMOVED_PREFIXES)]:
        if name not in _KEPT:
            del os.environ[name]
    os.environ.update(CREDENTIALS, AWS_EC2_METADATA_DISABLED="true")
    # A shell starts background jobs with SIGINT ignored, children inherit that, and tests send SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def service_models_are_read_once() -> Iterator[None]:
    """Share botocore's service models among sessions: reading them is most of the cost of a new client."""
    with patch("botocore.session.create_loader", cache(botocore.loaders.create_loader)):
        yield


class Server:
    """A PostgreSQL server that creates databases for tests."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self.url = postgres.url()
        self._template = ""

    def empty(self) -> str:
        """Create an empty database; returns its URL."""
        return self._create("template0")

    def migrated(self) -> str:
        """Create a database with the current schema; returns its URL."""
        if not self._template:
            url = self.empty()
            upgrade(url)
            self._template = url.rpartition("/")[2]
        return self._create(self._template)

    def drop(self, url: str) -> None:
        """Drop a database, even if clients are connected to it."""
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
    """URL of a new database with the current schema."""
    url = postgres.migrated()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="session")
def aws_endpoint(bare_environment: None) -> Iterator[str]:
    """URL of moto's S3, Secrets Manager, SSM and STS."""
    with Moto() as server:
        yield server.url


@pytest.fixture(scope="session")
def s3(aws_endpoint: str) -> "Iterator[S3Client]":
    with closing(boto3.client("s3", endpoint_url=aws_endpoint, region_name=REGION)) as client:
        yield client


@pytest.fixture
def bucket(s3: "S3Client") -> Callable[[], str]:
    """A function that creates a new, empty bucket and returns its name."""

    def make() -> str:
        name = f"b-{uuid4().hex}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    return make


@pytest.fixture(scope="session")
def sqs_endpoint(bare_environment: None) -> Iterator[str]:
    """URL of our own SQS server (`orca_daemon.local.sqs`)."""
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
    """A function that creates a new queue with a dead-letter queue: `queues(fifo=True, visibility=30)`."""

    def make(*, fifo: bool = False, visibility: int = 120) -> QueuePair:
        name, suffix = f"q-{uuid4().hex}", ".fifo" if fifo else ""
        spec = QueueSpec(name + suffix, f"{name}-dead{suffix}", visibility, 345_600)
        return QueuePair(*make_queue(sqs, spec))

    return make
