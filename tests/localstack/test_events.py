"""On a real LocalStack (`./dev localstack`): S3's own events reach the queue, and files their buckets."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import boto3
import psycopg2
import pytest

from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.local.stack import Stack
from orca_daemon.local.state import Whereabouts
from orca_daemon.producer import OrcaStatus, create_status_for_job

URL = os.environ.get("LOCALSTACK_URL", "")
PATIENCE = 60.0
pytestmark = pytest.mark.outside


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Whereabouts]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    stack = Stack(endpoint_url=URL)
    try:
        yield stack.start()
        print(stack.log.read_text() if stack.log else "")  # noqa: T201  shown where the test fails
    finally:
        stack.stop()


def client(service: str) -> Any:
    return boto3.client(service, endpoint_url=URL, region_name=REGION)


def test_an_object_that_s3_restored_is_copied(stack: Whereabouts) -> None:
    archive, target = stack.buckets["archive"], stack.buckets["public"]
    key, job = f"folder/odd name+{uuid4().hex}.hdf", str(uuid4())
    with closing(client("s3")) as s3, closing(client("sqs")) as sqs:
        queue = stack.queues["recovery"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        s3.put_bucket_notification_configuration(
            Bucket=archive,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectRestore:*"]}]
            },
        )
        s3.put_object(Bucket=archive, Key=key, Body=b"granule", StorageClass="GLACIER")
        create_status_for_job(
            job,
            "granule",
            archive,
            [
                {
                    "success": True,
                    "filename": "file.hdf",
                    "keyPath": key,
                    "restoreDestination": target,
                    "s3MultipartChunksizeMb": 250,
                    "statusId": OrcaStatus.PENDING.value,
                    "requestTime": "2026-01-01T00:00:00+00:00",
                    "lastUpdate": "2026-01-01T00:00:00+00:00",
                }
            ],
            stack.queues["status_update"],
            collection_id="collection",
            client=sqs,
        )
        s3.restore_object(Bucket=archive, Key=key, RestoreRequest={"Days": 1})

        assert ended(stack.database_url, job) == OrcaStatus.SUCCESS.value
        assert s3.get_object(Bucket=target, Key=key)["Body"].read() == b"granule"


def ended(database_url: str, job: str) -> int:
    """The status that the job's file ends with."""
    deadline = time.monotonic() + PATIENCE
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        while True:
            cursor.execute(
                "SELECT status_id FROM orca.recovery_file WHERE job_id = %s AND status_id IN (3, 4)", (job,)
            )
            if row := cursor.fetchone():
                return int(row[0])
            assert time.monotonic() < deadline, "the file was never copied"
            time.sleep(0.05)
