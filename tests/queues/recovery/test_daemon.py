"""Recoveries from queue to queue: the daemon's engine with real S3, SQS and Postgres."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
from types_boto3_s3 import S3Client

from orca_daemon.engine.events import Attempted, BreakerChanged
from orca_daemon.local.moto import REGION
from orca_daemon.settings import Settings
from tests.aws.s3copy.faulty import Fault, Faulty, operation
from tests.queues.recovery.conftest import Job, MakeWorld
from tests.queues.recovery.daemon import SECONDS, Daemon
from tests.queues.recovery.test_events import event, put_restored, record
from tests.queues.recovery.test_requests import request

MakeBucket = Callable[[], str]
Status = tuple[str, Callable[[], list[dict[str, Any]]]]


@dataclass
class Queues:
    """A recovery queue and its dead-letter queue."""

    sqs: Any
    url: str
    dead: str

    def send(self, body: object) -> None:
        self.sqs.send_message(QueueUrl=self.url, MessageBody=json.dumps(body))

    def last_receive_is(self, number: int) -> None:
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]
        policy = json.dumps({"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": number})
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"RedrivePolicy": policy})

    def dead_lettered(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=self.dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])
        return messages


@pytest.fixture
def queues(aws_endpoint: str) -> Iterator[Queues]:
    with closing(boto3.client("sqs", endpoint_url=aws_endpoint, region_name=REGION)) as sqs:
        dead = sqs.create_queue(QueueName=f"dead-{uuid4().hex}")["QueueUrl"]
        queues = Queues(sqs, sqs.create_queue(QueueName=uuid4().hex)["QueueUrl"], dead)
        queues.last_receive_is(5)
        yield queues


@pytest.fixture
def settings(
    queues: Queues, status_queue: Status, aws_endpoint: str, faulty: Faulty, database_url: str
) -> Settings:
    return Settings.model_validate(
        {
            "aws": {"region": REGION, "endpoint_url": faulty.url, "sqs_endpoint_url": aws_endpoint},
            "database": {"url": database_url},
            "queues": {"recovery": {"url": queues.url, "pollers": 1}},
            "recovery": {"status_url": status_queue[0]},
            "copies": {"retry_sleep": 0, "threshold_mib": 5, "chunk_mib": 5},
            "engine": {"wait": 1, "drain_seconds": 5},
        }
    )


def statuses(queue: Status) -> list[int]:
    return [post["statusId"] for post in queue[1]()]


async def test_a_failing_copy_is_posted_once_dead_lettered_with_evidence_and_succeeds_after_a_redrive(
    s3: S3Client, bucket: MakeBucket, queues: Queues, settings: Settings, status_queue: Status, faulty: Faulty
) -> None:
    here, there = bucket(), bucket()
    s3.put_object(Bucket=here, Key="d/g.h5", Body=b"granule")
    fault = faulty.fail(Fault(operation("CopyObject"), 403, "AccessDenied"))
    async with Daemon(settings) as daemon:
        queues.send(request(here, there))
        [end] = await daemon.settle(1)
        assert (end.outcome, end.attempts, fault.hits) == ("dead_lettered", 3, 3)
        assert end.facts["result"] == "failed"
        [dead] = queues.dead_lettered()
        [post] = status_queue[1]()
        assert post["statusId"] == 3
        assert post["errorMessage"].startswith("access denied: CopyObject from s3://")
        evidence = [value for value in dead["MessageAttributes"].values() if "reason" in value["StringValue"]]
        assert post["errorMessage"] in json.loads(evidence[0]["StringValue"])["reason"]
        fault.times = 0
        queues.send(json.loads(dead["Body"]))
        assert [event.outcome for event in await daemon.settle(2)] == ["dead_lettered", "deleted"]
    assert statuses(status_queue) == [4]


@pytest.mark.slow
async def test_an_outage_of_s3_charges_no_message_an_attempt(
    s3: S3Client, bucket: MakeBucket, queues: Queues, settings: Settings, status_queue: Status, faulty: Faulty
) -> None:
    here, there = bucket(), bucket()
    for number in range(5):
        s3.put_object(Bucket=here, Key=f"{number}", Body=b"granule")
        queues.send(request(here, there, f"{number}", filename=f"{number}"))
    outage = faulty.fail(Fault(lambda _: True, cut=True))
    async with Daemon(settings) as daemon:
        await daemon.wait_for(BreakerChanged)
        outage.times = 0
        ends = await daemon.settle(5)
        assert {(end.outcome, end.attempts) for end in ends} == {("deleted", 1)}
        assert daemon.breakers == [True, False]
    assert statuses(status_queue) == [4] * 5


@pytest.mark.slow
async def test_expired_credentials_charge_no_message_an_attempt(
    s3: S3Client, bucket: MakeBucket, queues: Queues, settings: Settings, status_queue: Status, faulty: Faulty
) -> None:
    here, there = bucket(), bucket()
    s3.put_object(Bucket=here, Key="d/g.h5", Body=b"granule")
    expired = faulty.fail(Fault(lambda _: True, 400, "ExpiredToken"))
    async with Daemon(settings) as daemon:
        queues.send(request(here, there))
        await daemon.wait_for(Attempted)  # alone, it waits: three would be needed to call S3 down
        expired.times = 0
        [end] = await daemon.settle(1)
        assert (end.outcome, end.attempts) == ("deleted", 1)
    assert statuses(status_queue) == [4]


async def test_an_event_ahead_of_its_job_is_handled_when_the_job_arrives(
    s3: S3Client,
    bucket: MakeBucket,
    queues: Queues,
    settings: Settings,
    status_queue: Status,
    make_world: MakeWorld,
) -> None:
    here, there = bucket(), bucket()
    put_restored(s3, here, "d/g.h5")
    async with Daemon(settings) as daemon:
        queues.send(event(record(here)))
        await daemon.wait_for(Attempted)
        make_world().add(Job(here, "d/g.h5", there))
        [end] = await daemon.settle(1)
        assert (end.outcome, end.attempts, end.facts["result"]) == ("deleted", 1, "copied")
    assert {getattr(one, "outcome", "") for one in daemon.events} >= {"early", "done"}
    assert statuses(status_queue) == [2, 4]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """More time for releases at the end of a drain: a busy machine may need more than five seconds."""
    monkeypatch.setattr("orca_daemon.engine.engine.FLUSH_SECONDS", SECONDS)


@pytest.mark.usefixtures("patience")
async def test_a_drain_on_the_last_receive_posts_failed_before_sqs_moves_the_message(
    s3: S3Client, bucket: MakeBucket, queues: Queues, settings: Settings, status_queue: Status, faulty: Faulty
) -> None:
    here, there = bucket(), bucket()
    s3.put_object(Bucket=here, Key="d/g.h5", Body=b"granule")
    queues.last_receive_is(1)
    queues.send(request(here, there))
    hung = faulty.fail(Fault(operation("CopyObject"), hold=asyncio.Event()))
    hasty = settings.model_copy(update={"engine": settings.engine.model_copy(update={"drain_seconds": 0.1})})
    async with Daemon(hasty):
        await hung.reached.wait()
    [post] = status_queue[1]()
    assert (post["statusId"], "on the last receive" in post["errorMessage"]) == (3, True)


@pytest.mark.usefixtures("patience")
async def test_a_drain_aborts_the_copy_and_gives_the_message_back(
    s3: S3Client, bucket: MakeBucket, queues: Queues, settings: Settings, status_queue: Status, faulty: Faulty
) -> None:
    here, there = bucket(), bucket()
    s3.put_object(Bucket=here, Key="d/g.h5", Body=bytes(12 * 1024**2))
    queues.send(request(here, there))
    hung = faulty.fail(Fault(operation("UploadPartCopy"), hold=asyncio.Event()))
    hasty = settings.model_copy(update={"engine": settings.engine.model_copy(update={"drain_seconds": 0.1})})
    async with Daemon(hasty) as daemon:
        await hung.reached.wait()
    assert [end.outcome for end in daemon.settled] == ["released"]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=there)
    assert "Contents" not in s3.list_objects_v2(Bucket=there)
    hung.times = 0
    async with Daemon(settings) as daemon:
        [end] = await daemon.settle(1)
        assert (end.outcome, end.facts["parts"]) == ("deleted", "3")
    assert statuses(status_queue) == [4]
