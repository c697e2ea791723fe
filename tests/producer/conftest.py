"""Queues to send to, over HTTP, and an SQS with responses that a test chooses."""

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
"""Returns HTTP status and body for an operation and its parameters."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, aws_endpoint: str, sqs_endpoint: str) -> None:
    """The environment of a producer."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", sqs_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


class Queue:
    """A queue, and a way to read it."""

    def __init__(self, client: Any, *, fifo: bool) -> None:
        self._client = client
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        name = uuid4().hex + (".fifo" if fifo else "")
        self.url: str = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def take(self, count: int = 10) -> list[dict[str, Any]]:
        """Receive and delete up to `count` messages."""
        messages: list[dict[str, Any]] = []
        while len(messages) < count:
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
                messages.append(message)
        return messages


@pytest.fixture
def fifo(environment: None) -> Iterator[Queue]:
    with closing(boto3.client("sqs", region_name="us-west-2")) as client:
        yield Queue(client, fifo=True)


@pytest.fixture
def metadata(environment: None) -> Iterator[Queue]:
    """A second FIFO queue."""
    with closing(boto3.client("sqs", region_name="us-west-2")) as client:
        yield Queue(client, fifo=True)


@pytest.fixture
def standard(environment: None) -> Iterator[Queue]:
    with closing(boto3.client("sqs", region_name="us-west-2")) as client:
        yield Queue(client, fifo=False)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, environment: None) -> Iterator[Callable[[Answer], list[str]]]:
    """Starts an SQS with this `Answer`, and returns the list of operations that it is asked for."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> list[str]:
        operations: list[str] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer, operations))
        servers.append(server)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        return operations

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _handler(answer: Answer, operations: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            operations.append(operation)
            parameters = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = answer(operation, parameters)
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Log nothing."""

    return Handler
