"""What AWS documents of restores, on the embedded S3: statuses, headers, errors, events, expiry.

Sources: API reference (RestoreObject, HeadObject, GetObject, InvalidObjectState), user guide (restoring an
archived object, archive retrieval options).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from types_boto3_s3 import S3Client
from types_boto3_sqs import SQSClient

from orca_daemon.local.moto import REGION, Moto
from tests.conftest import QueuePair
from tests.waiting import until

ARCHIVES: tuple[Literal["GLACIER"], Literal["DEEP_ARCHIVE"]] = ("GLACIER", "DEEP_ARCHIVE")


@dataclass
class Archive:
    """One object in a bucket of its own."""

    s3: S3Client
    bucket: str

    def put(self, storage_class: Any = "GLACIER") -> None:
        self.s3.put_object(Bucket=self.bucket, Key="a/k ü", Body=b"data", StorageClass=storage_class)

    def restore(self, days: int = 1, tier: Any = "Standard") -> int:
        answer = self.s3.restore_object(
            Bucket=self.bucket,
            Key="a/k ü",
            RestoreRequest={"Days": days, "GlacierJobParameters": {"Tier": tier}},
        )
        return answer["ResponseMetadata"]["HTTPStatusCode"]

    def header(self) -> str:
        return self.s3.head_object(Bucket=self.bucket, Key="a/k ü").get("Restore", "")

    def read(self) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key="a/k ü")["Body"].read()


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def made(s3: S3Client) -> Archive:
    name = f"b-{uuid4().hex}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return Archive(s3, name)


@pytest.fixture
def archive(s3: S3Client) -> Archive:
    """In an S3 whose restores are complete at once."""
    return made(s3)


@pytest.fixture(scope="module")
def slow_s3(bare_environment: None) -> Iterator[S3Client]:
    """An S3 whose restores take hours."""
    with Moto(restore_seconds=9_999) as server, closing(client(server.url)) as slow:
        yield slow


def client(url: str) -> S3Client:
    made: S3Client = boto3.client("s3", endpoint_url=url, region_name=REGION)
    return made


@pytest.mark.parametrize("storage_class", ARCHIVES)
def test_an_archived_object_is_not_readable_before_its_restore(archive: Archive, storage_class: str) -> None:
    archive.put(storage_class)
    with pytest.raises(ClientError) as caught:
        archive.read()
    assert refusal(caught) == (403, "InvalidObjectState")
    assert archive.header() == ""


def test_the_first_restore_is_accepted_and_another_of_a_restored_object_is_ok(archive: Archive) -> None:
    archive.put()
    assert [archive.restore(), archive.restore()] == [202, 200]
    assert archive.read() == b"data"


def test_a_second_restore_while_one_runs_is_a_conflict(slow_s3: S3Client) -> None:
    archive = made(slow_s3)
    archive.put()
    assert archive.restore() == 202
    assert archive.header() == 'ongoing-request="true"'
    with pytest.raises(ClientError) as caught:
        archive.restore()
    assert refusal(caught) == (409, "RestoreAlreadyInProgress")
    with pytest.raises(ClientError) as unread:
        archive.read()
    assert refusal(unread) == (403, "InvalidObjectState")


@pytest.mark.parametrize("storage_class", ["STANDARD", "GLACIER_IR"])
def test_an_object_that_is_not_archived_cannot_be_restored(archive: Archive, storage_class: str) -> None:
    archive.put(storage_class)
    with pytest.raises(ClientError) as caught:
        archive.restore()
    assert refusal(caught) == (403, "InvalidObjectState")
    assert archive.read() == b"data"


def test_head_names_no_storage_class_for_standard(archive: Archive) -> None:
    archive.put("STANDARD")
    assert "StorageClass" not in archive.s3.head_object(Bucket=archive.bucket, Key="a/k ü")


def test_a_restore_of_what_does_not_exist_is_not_found(archive: Archive) -> None:
    with pytest.raises(ClientError) as caught:
        archive.restore()
    assert refusal(caught) == (404, "NoSuchKey")


def test_deep_archive_has_no_expedited_restores(archive: Archive) -> None:
    archive.put("DEEP_ARCHIVE")
    with pytest.raises(ClientError) as caught:
        archive.restore(tier="Expedited")
    assert refusal(caught)[0] == 400
    assert [archive.restore(tier="Bulk"), archive.header()[:23]] == [202, 'ongoing-request="false"']


def test_a_copy_expires_at_the_midnight_after_its_days_and_can_be_kept_longer(archive: Archive) -> None:
    archive.put()
    expected = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    archive.restore(days=1)
    first = archive.header()
    archive.restore(days=3)
    second = archive.header()
    assert [expiry(first), expiry(second)] == [expected + timedelta(days=2), expected + timedelta(days=4)]


def expiry(header: str) -> datetime:
    before, _, date = header.partition(', expiry-date="')
    assert before == 'ongoing-request="false"'
    return parsedate_to_datetime(date.rstrip('"'))


def test_an_expired_copy_is_gone_and_the_object_is_archived_again(bare_environment: None) -> None:
    with Moto(day_seconds=1) as server, closing(client(server.url)) as s3:
        archive = made(s3)
        archive.put()
        archive.restore(days=1)
        until(lambda: archive.header() == "")
        with pytest.raises(ClientError) as caught:
            archive.read()
        assert refusal(caught) == (403, "InvalidObjectState")
        assert archive.restore() == 202


def test_a_restore_is_announced_when_it_begins_and_when_it_is_complete(
    bare_environment: None, sqs_endpoint: str, sqs: SQSClient, queues: Callable[..., QueuePair]
) -> None:
    url = queues().url
    with Moto(restore_seconds=1, sqs=sqs_endpoint) as server, closing(client(server.url)) as s3:
        archive = made(s3)
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        s3.put_bucket_notification_configuration(
            Bucket=archive.bucket,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectRestore:*"]}]
            },
        )
        archive.put()
        archive.restore()
        events: list[dict[str, Any]] = []

        def received() -> bool:
            answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
            bodies = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
            events.extend(record for body in bodies for record in body.get("Records", []))
            return len(events) == 2

        until(received)
    assert [event["eventName"] for event in events] == ["ObjectRestore:Post", "ObjectRestore:Completed"]
    assert {event["s3"]["bucket"]["name"] for event in events} == {archive.bucket}
    assert {event["eventSource"] for event in events} == {"aws:s3"}
