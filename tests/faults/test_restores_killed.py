"""A daemon is killed at each step of a restore request: nothing is asked twice, and nothing is left out."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import psycopg2
import pytest

from orca_daemon.local.layout import DEAD_LETTER
from orca_daemon.local.moto import REGION, Moto
from orca_daemon.wire import restore as wire
from tests.conftest import QueuePair
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import (
    DELETE,
    QUICK,
    MakeLink,
    await_lock_wait,
    events,
    kill,
    receive_as_often_as_it_takes,
)
from tests.faults.link import Link
from tests.waiting import until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

NEW_JOB, RESTORE = b"new_job", b"?restore"
KEYS = ("a", "b", "c")


@dataclass
class Archive:
    """An S3 whose restores take hours, and that says which it began."""

    url: str
    s3: "S3Client"
    bucket: str
    begun: Callable[[], Counter[str]]
    """The number of restores that began, by key."""


@pytest.fixture
def archive(deployment: Deployment, sqs_endpoint: str, queues: Callable[..., QueuePair]) -> Iterator[Archive]:
    receive_as_often_as_it_takes(deployment)
    told = queues().url
    arn = deployment.sqs.get_queue_attributes(QueueUrl=told, AttributeNames=["QueueArn"])["Attributes"]
    with (
        Moto(restore_seconds=9_999, sqs=sqs_endpoint) as server,
        closing(boto3.client("s3", endpoint_url=server.url, region_name=REGION)) as s3,
    ):
        bucket = deployment.buckets["archive"]
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": arn["QueueArn"], "Events": ["s3:ObjectRestore:Post"]}]
            },
        )
        seen: Counter[str] = Counter()

        def begun() -> Counter[str]:
            while messages := deployment.sqs.receive_message(QueueUrl=told, MaxNumberOfMessages=10).get(
                "Messages", []
            ):
                for message in messages:
                    records = json.loads(message["Body"]).get("Records", [])
                    seen.update(record["s3"]["object"]["key"] for record in records)
                    deployment.sqs.delete_message(QueueUrl=told, ReceiptHandle=message["ReceiptHandle"])
            return seen

        yield Archive(server.url, s3, bucket, begun)


def send(deployment: Deployment, archive: Archive, *granules: tuple[str, tuple[str, ...]]) -> None:
    for key in {key for _, keys in granules for key in keys}:
        archive.s3.put_object(Bucket=archive.bucket, Key=key, Body=b"data", StorageClass="GLACIER")
    requested = wire.request(
        [
            wire.RestoreGranule(
                collection_id="C",
                granule_id=name,
                files=tuple(wire.RestoreFile(key=key, destination="p") for key in keys),
            )
            for name, keys in granules
        ],
        bucket=archive.bucket,
    )
    deployment.send("restore", wire.message(requested))


@contextmanager
def locked(deployment: Deployment) -> Iterator[None]:
    with closing(psycopg2.connect(deployment.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE orca.orca_daemon_restore IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def _start(deployment: Deployment, archive: Archive, s3: Link, sqs: Link) -> Any:
    return deployment.start(
        AWS_ENDPOINT_URL=s3.url, AWS_ENDPOINT_URL_SQS=sqs.url, ORCA_RESTORE__BUCKET=archive.bucket, **QUICK
    )


STEPS = {
    "before the job is posted": ("sqs", "hold_request", NEW_JOB),
    "after the job was posted": ("sqs", "hold_answer_to", NEW_JOB),
    "before S3 is asked": ("s3", "hold_request", RESTORE),
    "after S3 was asked": ("s3", "hold_answer_to", RESTORE),
    "before the message is deleted": ("sqs", "hold_request", DELETE),
}
REPRESENTATIVE = "after S3 was asked"


@pytest.mark.parametrize(
    ("server", "fault", "request_"),
    [
        pytest.param(*step, id=name, marks=[] if name == REPRESENTATIVE else [pytest.mark.matrix])
        for name, step in STEPS.items()
    ],
)
def test_a_kill_at_any_step_asks_nothing_twice_and_leaves_nothing_out(
    deployment: Deployment,
    archive: Archive,
    make_link: MakeLink,
    sqs_endpoint: str,
    server: str,
    fault: str,
    request_: bytes,
) -> None:
    links = {"s3": make_link(archive.url), "sqs": make_link(sqs_endpoint)}
    setattr(links[server].proxy, fault, request_)
    first = _start(deployment, archive, links["s3"], links["sqs"])
    send(deployment, archive, ("g-1", KEYS[:2]), ("g-2", KEYS[2:]))
    deployment.until(links[server].proxy.reached.is_set, expected=True)
    kill(first)
    everything_is_asked_once(deployment, archive)


@pytest.mark.matrix
def test_a_kill_before_the_answer_is_recorded_asks_nothing_twice(
    deployment: Deployment, archive: Archive, make_link: MakeLink, sqs_endpoint: str
) -> None:
    s3, sqs = make_link(archive.url), make_link(sqs_endpoint)
    s3.proxy.hold_answer_to = RESTORE
    first = _start(deployment, archive, s3, sqs)
    send(deployment, archive, ("g-1", KEYS))
    deployment.until(s3.proxy.reached.is_set, expected=True)
    with locked(deployment):
        s3.release()
        await_lock_wait(deployment)
        kill(first)
    everything_is_asked_once(deployment, archive)


def everything_is_asked_once(deployment: Deployment, archive: Archive) -> None:
    """Start another daemon, let it finish, and compare what it and S3 did with the request."""
    deployment.start(AWS_ENDPOINT_URL=archive.url, ORCA_RESTORE__BUCKET=archive.bucket, **QUICK)
    deployment.await_empty("restore", "status_update")
    assert archive.begun() == dict.fromkeys(KEYS, 1)
    rows = deployment.rows(
        "SELECT DISTINCT filename, status_id, step IN ('ask', 'wait'), done_at IS NOT NULL"
        " FROM orca.recovery_file AS file"
        " FULL JOIN orca.orca_daemon_restore AS restore USING (job_id, collection_id, granule_id, filename)"
    )
    assert sorted(rows) == [(key, 1, True, True) for key in KEYS]
    assert deployment.rows("SELECT count(DISTINCT job_id) FROM orca.recovery_job") == [(1,)]
    assert [deployment.left(name + DEAD_LETTER) for name in ("restore", "status_update")] == [0, 0]


@pytest.mark.parametrize(
    "granules", [120, pytest.param(10_000, marks=pytest.mark.matrix)], ids=["120", "10000"]
)
def test_one_large_request_is_paced_and_stays_with_its_daemon(
    deployment: Deployment, archive: Archive, granules: int
) -> None:
    """At 15 requests a second the small one takes eight seconds, and its lease of six is extended."""
    url = deployment.queues["restore"]
    deployment.sqs.set_queue_attributes(QueueUrl=url, Attributes={"MaximumMessageSize": "1048576"})
    objects = min(granules, 400)
    send(
        deployment,
        archive,
        *((f"{number:05}", (f"k{number % objects}",)) for number in range(granules)),
    )
    pace = granules / 8
    deployment.start(
        AWS_ENDPOINT_URL=archive.url,
        ORCA_RESTORE__BUCKET=archive.bucket,
        ORCA_RESTORE__PER_SECOND=str(pace),
        **QUICK,
    )
    for queue in ("restore", "status_update"):
        until(lambda name=queue: not deployment.left(name), patience=900, output=deployment.output)  # type: ignore[misc]
    [settled] = [event for event in events(deployment, "message.deleted") if event.get("queue") == "restore"]
    assert settled["receives"] == 1
    assert settled["work_seconds"] >= 7.9
    assert deployment.rows("SELECT count(*) FROM orca.recovery_file") == [(granules,)]
    assert archive.begun() == dict.fromkeys((f"k{number}" for number in range(objects)), 1)
