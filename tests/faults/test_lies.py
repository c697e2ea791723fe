"""A daemon whose queue lies to it, each kind of lie to each operation: nothing is lost, and it goes on."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.aws.s3copy.faulty import Fault, Faulty
from tests.end_to_end.conftest import Deployment
from tests.faults.workload import Workload, everything_is_accounted_for

OPERATIONS = ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "SendMessage")
LONGEST = 40
"""Rounds after which a lie that was not told will not be."""
REPORTED = {"ReceiveMessage", "DeleteMessageBatch", "SendMessage"}
"""Leases are seldom extended where work is quick."""
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
    found: list[dict[str, Any]] = document.get("Messages", [])
    return found


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
    """Tells each kind of lie once to each operation, with an honest answer in between."""

    def __init__(self, upstream: str, kinds: list[str]) -> None:
        super().__init__(upstream)
        self._left = {operation: list(kinds) for operation in OPERATIONS}
        self._asked: Counter[str] = Counter()

    @property
    def reported(self) -> set[str]:
        """Operations to which every lie was told."""
        return {operation for operation, left in self._left.items() if not left}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self._asked[operation] += 1
        left = self._left.get(operation)
        kind = left.pop(0) if left and self._asked[operation] % 2 else None
        self.faults = [Fault(lambda _: True, **LIES[kind])] if kind else []
        return await super()._answer(request)


@contextmanager
def lying(url: str, kinds: list[str]) -> Iterator[Lying]:
    """A queue that lies, on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="lies")
    thread.start()
    proxy = Lying(url, kinds)
    asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
    yield proxy
    asyncio.run_coroutine_threadsafe(proxy.__aexit__(None, None, None), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.parametrize(
    "kinds", [list(LIES)[:3], pytest.param(list(LIES), marks=pytest.mark.matrix)], ids=["some", "all"]
)
def test_a_queue_that_lies_costs_nothing_but_time(
    deployment: Deployment, work: Workload, sqs_endpoint: str, kinds: list[str]
) -> None:
    policy = deployment.sqs.get_queue_attributes(
        QueueUrl=deployment.queues["status_update"], AttributeNames=["RedrivePolicy"]
    )["Attributes"]["RedrivePolicy"]
    # A receive that SQS answered and nobody could read costs one, whoever is to blame.
    often = json.dumps(json.loads(policy) | {"maxReceiveCount": 1000})
    deployment.sqs.set_queue_attributes(
        QueueUrl=deployment.queues["status_update"], Attributes={"RedrivePolicy": often}
    )
    with lying(sqs_endpoint, kinds) as proxy:
        daemon = deployment.start(
            AWS_ENDPOINT_URL_SQS=proxy.url, ORCA_ENGINE__LEASE="6", ORCA_ENGINE__WAIT="1"
        )
        for _ in range(2 * len(kinds)):
            work.send_poison()
        for _ in range(LONGEST):
            work.send(10)
            deployment.await_empty("status_update")
            if proxy.reported >= REPORTED:
                break
        everything_is_accounted_for(work, daemon)
        daemon.stop()
    assert proxy.reported >= REPORTED
