"""SQS sends each kind of wrong response to each operation: no message is lost, and the daemon continues."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.aws.s3copy.faulty import Fault, Faulty
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import receive_as_often_as_it_takes
from tests.faults.threaded import in_thread
from tests.faults.workload import Workload, everything_is_accounted_for

OPERATIONS = ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "SendMessage")
MAX_ROUNDS = 40
"""Rounds of messages after which the test stops waiting for the remaining lies."""
REQUIRED = {"ReceiveMessage", "DeleteMessageBatch", "SendMessage"}
"""Operations that must get every lie.  ChangeMessageVisibility is rare, because the handlers are quick."""
Edit = Callable[[dict[str, Any]], object]


def _edited(change: Edit) -> Callable[[bytes], bytes]:
    def edit(body: bytes) -> bytes:
        document = json.loads(body)
        change(document)
        return json.dumps(document).encode()

    return edit


def _entries(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [*document.get("Successful", ()), *document.get("Failed", ())]


def _messages(document: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = document.get("Messages", [])
    return messages


LIES: dict[str, dict[str, Any]] = {
    "page": {"page": "<html>log in</html>"},
    "list": {"page": "[1]"},
    "strange ids": {
        "edit": _edited(lambda document: [entry.update(Id="99") for entry in _entries(document)])
    },
    "object": {"page": "{}"},
    "nothing": {"page": ""},
    "null": {"page": "null"},
    "half": {"edit": lambda body: body[: len(body) // 2]},
    "no code": {"status": 403, "code": ""},
    "fault": {"status": 500, "code": "InternalFailure"},
    "throttled": {"status": 400, "code": "ThrottlingException", "as_json": True},
    "expired": {"status": 403, "code": "ExpiredTokenException", "as_json": True},
    "cut": {"cut": True},
    "lost": {"lose_answer": True},
    "no ids": {"edit": _edited(lambda document: [entry.pop("Id") for entry in _entries(document)])},
    "words": {"edit": _edited(lambda document: [entry.update(Id="one") for entry in _entries(document)])},
    "no handles": {
        "edit": _edited(lambda document: [each.pop("ReceiptHandle") for each in _messages(document)])
    },
    "other bodies": {
        "edit": _edited(lambda document: [each.update(Body="x") for each in _messages(document)])
    },
    "doubled": {"edit": _edited(lambda document: _messages(document).extend(_messages(document)))},
}


class Lying(Faulty):
    """Sends each kind of lie once to each operation, with a correct response in between."""

    def __init__(self, upstream: str, kinds: list[str]) -> None:
        super().__init__(upstream)
        self._remaining = {operation: list(kinds) for operation in OPERATIONS}
        self._requests: Counter[str] = Counter()

    @property
    def completed(self) -> set[str]:
        """Operations that got every lie."""
        return {operation for operation, kinds in self._remaining.items() if not kinds}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self._requests[operation] += 1
        remaining = self._remaining.get(operation)
        kind = remaining.pop(0) if remaining and self._requests[operation] % 2 else None
        self.faults = [Fault(lambda _: True, **LIES[kind])] if kind else []
        return await super()._answer(request)


@contextmanager
def lying(url: str, kinds: list[str]) -> Iterator[Lying]:
    """Run a `Lying` proxy in front of `url`, with its event loop in a thread."""
    with in_thread(Lying(url, kinds)) as proxy:
        yield proxy


@pytest.mark.parametrize(
    "kinds", [list(LIES)[:3], pytest.param(list(LIES), marks=pytest.mark.matrix)], ids=["some", "all"]
)
def test_wrong_responses_of_sqs_lose_no_message_and_only_cost_time(
    deployment: Deployment, work: Workload, sqs_endpoint: str, kinds: list[str]
) -> None:
    # SQS counts a receive even if the daemon could not read the response.
    receive_as_often_as_it_takes(deployment)
    with lying(sqs_endpoint, kinds) as proxy:
        daemon = deployment.start(
            AWS_ENDPOINT_URL_SQS=proxy.url, ORCA_ENGINE__LEASE="6", ORCA_ENGINE__WAIT="1"
        )
        for _ in range(2 * len(kinds)):
            work.send_poison()
        for _ in range(MAX_ROUNDS):
            work.send(10)
            deployment.await_empty("status_update")
            if proxy.completed >= REQUIRED:
                break
        everything_is_accounted_for(work, daemon)
        daemon.stop()
    assert proxy.completed >= REQUIRED
