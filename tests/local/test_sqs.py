"""SQS on loopback as a process: it keeps its queues, and answers invalid requests."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest

from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.moto import REGION
from orca_daemon.local.sqs import SqsServer
from tests.waiting import until

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@contextmanager
def running(file: Path) -> "Iterator[SQSClient]":
    with (
        Endpoint("orca_daemon.local.sqs", ("0", str(file))) as server,
        closing(boto3.client("sqs", endpoint_url=server.url, region_name=REGION)) as client,
    ):
        yield client


def test_queues_and_messages_outlast_the_process(bare_environment: None, tmp_path: Path) -> None:
    file = tmp_path / "sqs.json"
    with running(file) as sqs:
        dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
        work = sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": policy})["QueueUrl"]
        sqs.send_message(QueueUrl=work, MessageBody="kept")
        sqs.receive_message(QueueUrl=work, VisibilityTimeout=0)
    with running(file) as sqs:
        work = sqs.get_queue_url(QueueName="work")["QueueUrl"]
        assert "Messages" not in sqs.receive_message(QueueUrl=work)
        dead = sqs.get_queue_url(QueueName="dead")["QueueUrl"]
        assert [each["Body"] for each in sqs.receive_message(QueueUrl=dead)["Messages"]] == ["kept"]


def test_little_is_lost_when_the_process_is_killed(bare_environment: None, tmp_path: Path) -> None:
    file = tmp_path / "sqs.json"
    with Endpoint("orca_daemon.local.sqs", ("0", str(file))) as server:
        with closing(boto3.client("sqs", endpoint_url=server.url, region_name=REGION)) as sqs:
            work = sqs.create_queue(QueueName="work")["QueueUrl"]
            sqs.send_message(QueueUrl=work, MessageBody="a body")
        until(lambda: file.exists() and b"a body" in file.read_bytes())
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
    with running(file) as sqs:
        work = sqs.get_queue_url(QueueName="work")["QueueUrl"]
        assert [each["Body"] for each in sqs.receive_message(QueueUrl=work)["Messages"]] == ["a body"]


def test_an_unknown_queue_url_host_does_not_matter(bare_environment: None, tmp_path: Path) -> None:
    with running(tmp_path / "sqs.json") as sqs:
        sqs.create_queue(QueueName="work")
        sqs.send_message(QueueUrl="http://elsewhere:1/000000000000/work", MessageBody="a")
        assert sqs.get_queue_url(QueueName="work")["QueueUrl"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("target", "body", "shape"),
    [
        ("AmazonSQS.NoSuchAction", b"{}", "UnknownOperationException"),
        ("AmazonSQS.__init__", b"{}", "UnknownOperationException"),
        ("Elsewhere.SendMessage", b"{}", "UnknownOperationException"),
        ("AmazonSQS.SendMessage", b"{", "SerializationException"),
        ("AmazonSQS.SendMessage", b"{}", "QueueDoesNotExist"),
    ],
)
async def test_invalid_requests_are_answered(target: str, body: bytes, shape: str) -> None:
    server = SqsServer()
    url = await server.start()
    request = Request(url, data=body, headers={"X-Amz-Target": target})  # noqa: S310  our own URL
    try:
        with pytest.raises(HTTPError) as error:
            await asyncio.to_thread(urlopen, request)
        assert error.value.code == 400
        assert json.loads(error.value.read())["__type"].endswith(f"#{shape}")
        error.value.close()
    finally:
        await server.stop()
