"""Dead letters over a real SQS endpoint: what is read, hidden and sent back."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.context import attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from orca_daemon.aws.clients import connect
from orca_daemon.aws.dead_letter_queue import DeadLetterFilter, DeadLetterQueue
from orca_daemon.aws.metering import meter
from orca_daemon.operations.dead_letters import peek, redrive
from orca_daemon.operations.errors import UnknownQueueError
from tests.conftest import QueuePair
from tests.operations.conftest import MakeSettings

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@pytest.fixture
def pair(queues: Callable[..., QueuePair]) -> QueuePair:
    return queues()


def send_dead_letters(sqs: "SQSClient", pair: QueuePair, number: int) -> None:
    evidence = json.dumps({"reason": "no such key", "error": "Reject"})
    attribute: Any = {"DataType": "String", "StringValue": evidence}
    for index in range(number):
        sqs.send_message(
            QueueUrl=pair.dead_letter_url,
            MessageBody=str(index),
            MessageAttributes={"OrcaDaemonEvidence": attribute},
        )


async def test_a_queue_without_url_is_unknown(make_settings: MakeSettings) -> None:
    with pytest.raises(UnknownQueueError, match="those that do: none"):
        await peek(make_settings(), "q", DeadLetterFilter(), 1)


async def test_a_peek_returns_what_matches_and_counts_all(
    sqs: "SQSClient", pair: QueuePair, make_settings: MakeSettings
) -> None:
    send_dead_letters(sqs, pair, 3)
    settings = make_settings(RECOVERY_QUEUE_URL=pair.url)

    peeked = await peek(settings, "recovery", DeadLetterFilter(reason="such"), 2)
    nothing = await peek(settings, "recovery", DeadLetterFilter(error="KeyError"), 2)

    assert (len(peeked.letters), peeked.approximate_count) == (2, 3)
    assert (nothing.letters, nothing.approximate_count) == ([], 3)


async def test_a_redrive_reports_its_progress(
    sqs: "SQSClient", pair: QueuePair, make_settings: MakeSettings
) -> None:
    send_dead_letters(sqs, pair, 3)
    reported: list[tuple[int, int]] = []

    result = await redrive(
        make_settings(RECOVERY_QUEUE_URL=pair.url),
        "recovery",
        DeadLetterFilter(),
        most=100,
        rate=0,
        progress=lambda moved, total: reported.append((moved, total)),
    )

    assert (result.moved, result.failed) == (3, 0)
    assert reported == [(0, 3), (1, 3), (2, 3), (3, 3)]


async def test_dead_letters_that_do_not_match_are_hidden_once_and_made_visible_once(
    sqs: "SQSClient", pair: QueuePair, make_settings: MakeSettings
) -> None:
    send_dead_letters(sqs, pair, 40)
    calls: list[str] = []

    async with connect(make_settings()) as clients:
        meter(clients, lambda operation, *_: calls.append(operation))
        letters = await (await DeadLetterQueue.of(clients, pair.url)).peek(
            DeadLetterFilter(error="Nothing"), 100
        )

    assert (letters, calls.count("sqs:ChangeMessageVisibilityBatch")) == ([], 4)


async def test_a_redrive_keeps_the_trace_of_the_sender_and_adds_the_active_one_to_a_message_without(
    sqs: "SQSClient", pair: QueuePair, make_settings: MakeSettings
) -> None:
    own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    sqs.send_message(
        QueueUrl=pair.dead_letter_url,
        MessageBody="traced",
        MessageAttributes={"traceparent": {"DataType": "String", "StringValue": own}},
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": header}},
    )
    send_dead_letters(sqs, pair, 1)
    active = SpanContext(int("a" * 32, 16), int("b" * 16, 16), is_remote=False, trace_flags=TraceFlags(1))
    token = attach(set_span_in_context(NonRecordingSpan(active)))

    try:
        await redrive(
            make_settings(RECOVERY_QUEUE_URL=pair.url), "recovery", DeadLetterFilter(), most=100, rate=0
        )
    finally:
        detach(token)

    received = sqs.receive_message(
        QueueUrl=pair.url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    )["Messages"]
    traces = {
        message["Body"]: (
            message["MessageAttributes"]["traceparent"]["StringValue"],
            message["Attributes"].get("AWSTraceHeader"),
        )
        for message in received
    }
    assert traces == {"traced": (own, header), "0": (f"00-{'a' * 32}-{'b' * 16}-01", None)}
