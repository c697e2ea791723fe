"""Queues to send to, over HTTP, and an SQS that answers wrongly."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import boto3
import pytest

Answer = Callable[[str, dict[str, Any]], tuple[int, Any]]
"""From operation and parameters to HTTP status and body."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, aws_endpoint: str, sqs_endpoint: str) -> None:
    """What a producer finds in its environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", sqs_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


class Queue:
    """A queue, and a look into it."""

    def __init__(self, client: Any, *, fifo: bool) -> None:
        self._client = client
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        name = uuid4().hex + (".fifo" if fifo else "")
        self.url: str = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def take(self, count: int = 10) -> list[dict[str, Any]]:
        """Up to `count` messages, deleted."""
        taken: list[dict[str, Any]] = []
        while len(taken) < count:
            answer = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            )
            if not answer.get("Messages"):
                break
            for message in answer["Messages"]:
                self._client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                taken.append(message)
        return taken


@pytest.fixture
def fifo(environment: None) -> Iterator[Queue]:
    with closing(boto3.client("sqs", region_name="us-west-2")) as client:
        yield Queue(client, fifo=True)


@pytest.fixture
def standard(environment: None) -> Iterator[Queue]:
    with closing(boto3.client("sqs", region_name="us-west-2")) as client:
        yield Queue(client, fifo=False)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, environment: None) -> Iterator[Callable[[Answer], list[str]]]:
    """An SQS that answers as it is told; gives the list in which it notes what it was asked."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> list[str]:
        asked: list[str] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer, asked))
        servers.append(server)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        return asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _handler(answer: Answer, asked: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            asked.append(operation)
            parameters = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = answer(operation, parameters)
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Say nothing."""

    return Handler
