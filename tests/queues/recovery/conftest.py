"""The handler of the recovery queue with real S3, SQS and Postgres, but without the engine."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import boto3
import psycopg2
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from orca_daemon.aws.publisher import Publisher
from orca_daemon.aws.s3copy import Copier, CopyOptions
from orca_daemon.db.database import Database
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.local.moto import REGION
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.recovery.handler import Recovery
from orca_daemon.queues.recovery.reporters import FailureReporter, StatusReporter
from orca_daemon.queues.recovery.telemetry import CopyTelemetry
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from orca_daemon.settings import RecoverySection as RecoverySettings
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire import recovery as wire
from tests.aws.s3copy.faulty import Faulty
from tests.aws.s3copy.storage import bucket, faulty, session  # noqa: F401  pytest finds fixtures by their names
from tests.queues.conftest import bodies

NO_RULES = CopyRules()
AT_ONCE = Backoff(base=0.0, floor=0.0)
SENT = 1_800_000_000.0
"""When every message of these tests was sent."""


@dataclass
class Job:
    """A row of recovery_file, and of recovery_job."""

    bucket: str
    key: str
    destination: str
    status: int = 1
    job: str = "op-1"
    granule: str = "g-1"
    collection: str = "C___001"
    chunk: int | None = None


@dataclass
class World:
    """The handler with its dependencies, and the effects of its work."""

    handler: Recovery
    failure_reporter: FailureReporter
    metrics: Metrics
    database_url: str | None
    read_posts: Callable[[], list[dict[str, Any]]]
    facts: dict[str, str] = field(default_factory=dict)

    async def handle(self, body: object, *, held: float = 0.0, **envelope: Any) -> None:
        text = json.dumps(body)
        received = Envelope(**{"id": "m-1", "receipt": "r-1", "body": text, "sent_at": SENT, **envelope})
        delivery = Delivery(wire.decode(text), received, held_seconds=held)
        try:
            await self.handler([delivery])
        finally:
            self.facts = delivery.facts

    async def give_up(self, body: object, reason: str) -> None:
        text = json.dumps(body)
        await self.failure_reporter(wire.decode(text), Envelope(id="m-1", receipt="r-1", body=text), reason)

    def posted(self) -> list[tuple[str, str, int]]:
        """Job, filename and status of each post since the last call."""
        return [(post["jobId"], post["filename"], post["statusId"]) for post in self.read_posts()]

    def add(self, *jobs: Job) -> None:
        assert self.database_url
        with (
            closing(psycopg2.connect(self.database_url)) as connection,
            connection,
            connection.cursor() as at,
        ):
            for job in jobs:
                at.execute(
                    "INSERT INTO orca.recovery_job (job_id, collection_id, granule_id, archive_destination, "
                    "status_id, request_time) VALUES (%s, %s, %s, %s, %s, now()) ON CONFLICT DO NOTHING",
                    (job.job, job.collection, job.granule, job.bucket, job.status),
                )
                at.execute(
                    "INSERT INTO orca.recovery_file (job_id, collection_id, granule_id, filename, key_path, "
                    "restore_destination, multipart_chunksize_mb, status_id, request_time, last_update) "
                    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, now(), now())",
                    (
                        job.job,
                        job.collection,
                        job.granule,
                        job.key.rpartition("/")[2],
                        job.key,
                        job.destination,
                        job.chunk,
                        job.status,
                    ),
                )

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"orca_daemon_{name}", labels) or 0.0


@pytest.fixture
def status_queue(aws_endpoint: str) -> Iterator[tuple[str, Callable[[], list[dict[str, Any]]]]]:
    """URL of a FIFO queue, and a function that reads all bodies that were sent since its last call."""
    with closing(boto3.client("sqs", endpoint_url=aws_endpoint, region_name=REGION)) as sqs:
        url = sqs.create_queue(QueueName=f"{uuid4().hex}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        yield url, lambda: bodies(sqs, url)


MakeWorld = Callable[..., World]


@pytest.fixture
async def make_world(
    faulty: Faulty,
    session: AioSession,
    aws_endpoint: str,
    database_url: str,
    status_queue: tuple[str, Callable[[], list[dict[str, Any]]]],
) -> AsyncIterator[MakeWorld]:
    """Makes handlers; `database=False` makes one without a database, `rules` one with restricted buckets."""
    config = AioConfig(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=40)
    async with AsyncExitStack() as stack:

        async def client(service: str, url: str) -> Any:
            return await stack.enter_async_context(
                session.create_client(service, region_name=REGION, endpoint_url=url, config=config)
            )

        s3, sqs = await client("s3", faulty.url), await client("sqs", aws_endpoint)

        def make(*, database: bool = True, rules: CopyRules = NO_RULES, **settings: Any) -> World:
            metrics = Metrics()
            telemetry = CopyTelemetry(metrics.copies)
            options = CopyOptions(backoff=AT_ONCE, tries=2, threshold=5 * 1024**2, chunk=5 * 1024**2)
            db = Database(DatabaseSettings.model_validate({"url": database_url})) if database else None
            if db:
                stack.callback(db.close)
            url, read = status_queue
            copier = Copier(s3, options, telemetry.moved)
            status_reporter = StatusReporter(Publisher(sqs, url, backoff=AT_ONCE))
            handler = Recovery(
                copier,
                status_reporter,
                db,
                RecoverySettings.model_validate(settings),
                rules,
                telemetry,
            )
            reporter = FailureReporter(copier, status_reporter, db, rules)
            return World(handler, reporter, metrics, database_url if database else None, read)

        yield make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()
