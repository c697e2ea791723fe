"""What SQS says of queues for `orca-daemon status`, as `orca_daemon.operations.waiting` asks it."""

from collections.abc import Callable
from typing import Any

import pytest

from orca_daemon.operations.waiting import QueueDepth, asked
from tests.conftest import QueuePair
from tests.operations.conftest import MakeSettings


async def test_waiting_messages_and_dead_letters_are_counted_when_asked(
    make_settings: MakeSettings, queues: Callable[..., QueuePair], sqs: Any
) -> None:
    pair = queues()
    for url, count in ((pair.url, 2), (pair.dead_letter_url, 3)):
        for _ in range(count):
            sqs.send_message(QueueUrl=url, MessageBody="x")

    async with asked(make_settings(RECOVERY_QUEUE_URL=pair.url)) as waiting:
        first = await waiting.counts()
        sqs.send_message(QueueUrl=pair.url, MessageBody="x")
        second = await waiting.counts()

    assert first == {"recovery": QueueDepth(waiting=2, dead=3)}
    assert second == {"recovery": QueueDepth(waiting=3, dead=3)}


async def test_a_queue_that_cannot_be_asked_says_why(
    make_settings: MakeSettings, queues: Callable[..., QueuePair], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = f"{queues().url}-gone"
    async with asked(make_settings(RECOVERY_QUEUE_URL=gone)) as waiting:
        assert (await waiting.counts())["recovery"].problem

    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    async with asked(make_settings(RECOVERY_QUEUE_URL=gone, AWS_REGION="")) as waiting:
        depth = (await waiting.counts())["recovery"]
    assert (depth.waiting, "no AWS region" in (depth.problem or "")) == (None, True)
