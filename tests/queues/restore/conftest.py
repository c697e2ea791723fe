"""The handler of the restore queue with real S3, SQS and Postgres, but without the engine."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import boto3
import psycopg2
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from types_boto3_s3 import S3Client

from orca_daemon.aws.publisher import Publisher
from orca_daemon.aws.s3copy.requests import Requests
from orca_daemon.aws.s3copy.window import Window
from orca_daemon.db.database import Database
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.local.moto import REGION, Moto
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.restore.attempt import Parts
from orca_daemon.queues.restore.failures import RestoreFailureReporter
from orca_daemon.queues.restore.handler import Restore
from orca_daemon.queues.restore.pace import Pace
from orca_daemon.queues.restore.posts import Posts
from orca_daemon.queues.restore.rules import RestoreRules
from orca_daemon.settings import DatabaseSection, Settings
from orca_daemon.wire import restore as wire
from orca_daemon.wire.restore_outcome import RestoreOutcome, output
from tests.aws.s3copy.faulty import Faulty
from tests.aws.s3copy.storage import session
from tests.conftest import QueuePair
from tests.queues.conftest import bodies

__all__ = ["session"]
AT_ONCE = Backoff(base=0.0, floor=0.0)
Body = Mapping[str, Any]


@dataclass
class Answered:
    """Records what Step Functions would be told."""

    calls: list[tuple[str, ...]] = field(default_factory=list)
    output: dict[str, Any] | None = None

    async def waiting(self, token: str) -> None:
        self.calls.append(("waiting", token))

    async def succeeded(self, token: str, outcome: RestoreOutcome) -> None:
        self.output = output(outcome)
        self.calls.append(("succeeded", token))

    async def failed(self, token: str, error: str, cause: str) -> None:
        self.calls.append(("failed", token, error, cause))


@dataclass
class World:
    """The handler with its dependencies, and the effects of its work."""

    s3: S3Client
    archive: str
    proxy: Faulty
    parts: Parts
    database_url: str
    read_status: Callable[[], list[dict[str, Any]]]
    read_recovery: Callable[[], list[dict[str, Any]]]
    answers: Answered
    metrics: Metrics
    facts: dict[str, str] = field(default_factory=dict)

    def put(self, *keys: str, storage_class: str = "GLACIER", size: int = 4) -> None:
        for key in keys:
            self.s3.put_object(
                Bucket=self.archive, Key=key, Body=bytes(size), StorageClass=cast("Any", storage_class)
            )

    def restore(self, key: str, days: int = 5) -> None:
        """Have somebody else ask for it."""
        self.s3.restore_object(Bucket=self.archive, Key=key, RestoreRequest={"Days": days})

    def header(self, key: str) -> str:
        return self.s3.head_object(Bucket=self.archive, Key=key).get("Restore", "")

    async def handle(self, body: Body, *, id_: str = "m-1", held: float = 0.0, **attributes: str) -> None:
        text = json.dumps(body)
        envelope = Envelope(id=id_, receipt="r", body=text, attributes=attributes)
        delivery = Delivery(wire.decode(text), envelope, held_seconds=held)
        try:
            await Restore(self.parts)([delivery])
        finally:
            self.facts = delivery.facts

    async def give_up(self, body: object, reason: str, *, id_: str = "m-1") -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        try:
            message = wire.decode(text)
        except ValueError:
            message = None
        await RestoreFailureReporter(self.parts)(message, Envelope(id=id_, receipt="r", body=text), reason)

    def posted(self) -> list[tuple[str, list[tuple[str, int]]]]:
        """Of each message to the status queue since the last call: granule, and files with their status."""
        return sorted(
            (
                message["granuleId"],
                [(file["filename"], file["statusId"]) for file in message["files"]]
                if "files" in message
                else [(message["filename"], message["statusId"])],
            )
            for message in self.read_status()
        )

    def announced(self) -> list[str]:
        """The keys of the events to the recovery queue since the last call."""
        return sorted(event["Records"][0]["s3"]["object"]["key"] for event in self.read_recovery())

    def asked(self) -> int:
        """Number of RestoreObject requests so far."""
        return self.proxy.seen.count("RestoreObject")

    def rows(self, columns: str = "filename, step, error_message") -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.database_url)) as connection, connection.cursor() as at:
            at.execute(f"SELECT {columns} FROM orca.orca_daemon_restore ORDER BY granule_id, filename")
            return list(at.fetchall())

    def count(self, step: str) -> float:
        name = "orca_daemon_restore_files_total"
        return self.metrics.registry.get_sample_value(name, {"step": step}) or 0.0


def granule(*keys: str, id_: str = "g-1", target: str = "protected") -> dict[str, Any]:
    return {
        "collectionId": "C___001",
        "granuleId": id_,
        "keys": [{"key": key, "destBucket": target} for key in keys],
    }


def request(*granules: dict[str, Any], job: str | None = "op-1", **config: object) -> dict[str, Any]:
    return {"input": {"granules": list(granules)}, "config": {"asyncOperationId": job, **config}}


@pytest.fixture(scope="session")
def slow_endpoint(bare_environment: None) -> Iterator[str]:
    """An S3 whose restores take hours."""
    with Moto(restore_seconds=9_999) as server:
        yield server.url


MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def make_world(
    session: AioSession,
    slow_endpoint: str,
    aws_endpoint: str,
    sqs_endpoint: str,
    database_url: str,
    queues: Callable[..., QueuePair],
) -> AsyncIterator[MakeWorld]:
    """Makes handlers; `at_once=True` one whose S3 restores at once; other options are settings."""
    config = AioConfig(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=40)
    async with AsyncExitStack() as stack:

        async def make(
            *,
            at_once: bool = False,
            parts: Mapping[str, Any] | None = None,
            settings: Mapping[str, Mapping[str, Any]] | None = None,
            **restore: Any,
        ) -> World:
            upstream = aws_endpoint if at_once else slow_endpoint
            proxy = await stack.enter_async_context(Faulty(upstream))

            async def client(service: str, url: str) -> Any:
                return await stack.enter_async_context(
                    session.create_client(service, region_name=REGION, endpoint_url=url, config=config)
                )

            s3 = stack.enter_context(closing(boto3.client("s3", endpoint_url=upstream, region_name=REGION)))
            archive = f"b-{uuid4().hex}"
            s3.create_bucket(Bucket=archive, CreateBucketConfiguration={"LocationConstraint": REGION})
            database = Database(DatabaseSection.model_validate({"url": database_url}))
            stack.callback(database.close)
            async_s3, sqs = await client("s3", proxy.url), await client("sqs", sqs_endpoint)
            status, recovery = queues(fifo=True).url, queues().url
            metrics, answers = Metrics(), Answered()
            values = {"restore": {"bucket": archive, **restore}, **(settings or {})}
            made = Parts(
                heads=Requests(async_s3, window=Window.up_to(32), tries=2, backoff=AT_ONCE),
                asks=Requests(async_s3, window=Window.up_to(32), tries=1, backoff=AT_ONCE),
                database=database,
                posts=Posts(
                    Publisher(sqs, status, backoff=AT_ONCE), Publisher(sqs, recovery, backoff=AT_ONCE)
                ),
                rules=RestoreRules.of(Settings.model_validate(values)),
                pace=Pace(restore.get("per_second", 1e6)),
                metrics=metrics.restores,
                answers=answers,
                expedited_fallback=restore.get("expedited_fallback", False),
                **(parts or {}),
            )
            read = boto3.client("sqs", endpoint_url=sqs_endpoint, region_name=REGION)
            stack.enter_context(closing(read))
            return World(
                s3,
                archive,
                proxy,
                made,
                database_url,
                lambda: bodies(read, status),
                lambda: bodies(read, recovery),
                answers,
                metrics,
            )

        yield make
