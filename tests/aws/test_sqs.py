"""A queue with nearly correct responses: only intact messages are taken, only named entries are done."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from orca_daemon.aws.publisher import Publisher
from orca_daemon.aws.session import UnprovenError
from orca_daemon.aws.sqs import SqsSource, outcomes
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import NotYet, SourceError, SourceErrorKind
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import EntryOutcome
from orca_daemon.local.sqs import digests
from tests.aws.conftest import Bench
from tests.aws.correct_responses import ARN, BODY, CALLS, DIGEST, MESSAGE, URL
from tests.aws.wrong_responses import WRONG_RESPONSES
from tests.queues.recovery.test_publisher import STAGED

ON_ONE_LOOP = pytest.mark.asyncio(loop_scope="session")
Edit = Callable[[dict[str, Any]], object]
RECEIVE = next(call for call in CALLS if call.id == "sqs.receive_message")
ENVELOPE = Envelope(id="m", receipt="r", body=BODY)
DONE, FAILED, GONE = EntryOutcome.DONE, EntryOutcome.FAILED, EntryOutcome.GONE


def answer_with(bench: Bench, document: object) -> None:
    """Answer every call with this JSON document."""
    bench.server.call = RECEIVE
    bench.server.wrong = lambda _: web.json_response(document, content_type="application/x-amz-json-1.0")


@pytest.fixture
def source(bench: Bench) -> SqsSource:
    return SqsSource(bench.clients["sqs"], bench.clients["sqs"], URL)


EDITS: dict[str, Edit] = {
    "no id": lambda message: message.pop("MessageId"),
    "no handle": lambda message: message.pop("ReceiptHandle"),
    "no digest": lambda message: message.pop("MD5OfBody"),
    "no body": lambda message: message.pop("Body"),
    "another body": lambda message: message.update(Body="other"),
    "half a character": lambda message: message.update(Body="\ud800"),
    "a time in words": lambda message: message["Attributes"].update(SentTimestamp="soon"),
    "a count below zero": lambda message: message["Attributes"].update(ApproximateReceiveCount="-1"),
    "a number of a thousand digits": lambda message: message["Attributes"].update(SequenceNumber="9" * 1000),
    "a count that is a number": lambda message: message["Attributes"].update(ApproximateReceiveCount=1),
    "an attribute without base 64": lambda message: message.update(
        MessageAttributes={"a": {"DataType": "Binary", "BinaryValue": "a"}}
    ),
    "attributes that are a list": lambda message: message.update(MessageAttributes=["a"]),
    "an attribute that is null": lambda message: message.update(MessageAttributes={"a": None}),
    "an attribute that is a number": lambda message: message.update(
        MessageAttributes={"a": {"DataType": "String", "StringValue": 5}}
    ),
    "an attribute without a value": lambda message: message.update(
        MessageAttributes={"a": {"DataType": "String"}}
    ),
    "other attributes": lambda message: message.update(
        MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}}, MD5OfMessageAttributes="0" * 32
    ),
    "attributes that were lost": lambda message: message.update(MD5OfMessageAttributes="0" * 32),
    "no group": lambda message: message["Attributes"].pop("MessageGroupId"),
    "no system attributes": lambda message: message.pop("Attributes"),
    "a group that is a number": lambda message: message["Attributes"].update(MessageGroupId=7),
    "a handle that is a number": lambda message: message.update(ReceiptHandle=7),
    "an id that is a list": lambda message: message.update(MessageId=["m-2"]),
}


@ON_ONE_LOOP
@pytest.mark.parametrize("kind", EDITS)
async def test_a_damaged_message_makes_the_receive_fail(bench: Bench, source: SqsSource, kind: str) -> None:
    broken = json.loads(json.dumps(MESSAGE)) | {"MessageId": "m-2"}
    EDITS[kind](broken)
    answer_with(bench, {"Messages": [MESSAGE, broken]})
    with pytest.raises(SourceError) as caught:
        await source.receive(10, wait=0, lease=30)
    assert caught.value.kind is SourceErrorKind.UNAVAILABLE


@ON_ONE_LOOP
async def test_a_message_with_the_digest_of_its_attributes_is_taken(bench: Bench, source: SqsSource) -> None:
    attributes: dict[str, dict[str, object]] = {
        "text": {"DataType": "String.é", "StringValue": "é"},
        "Bytes": {"DataType": "Binary", "BinaryValue": "AP8="},
        "number": {"DataType": "Number", "StringValue": "1"},
    }
    raw: dict[str, dict[str, object]] = {
        **attributes,
        "Bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    digest = digests.of_attributes(raw)
    answer_with(
        bench,
        {"Messages": [{**MESSAGE, "MessageAttributes": attributes, "MD5OfMessageAttributes": digest}]},
    )
    [received] = await source.receive(10, wait=0, lease=30)
    assert received.raw_attributes == raw


@ON_ONE_LOOP
async def test_a_confirmation_of_other_attributes_is_an_error(bench: Bench) -> None:
    answer_with(bench, {"MessageId": "m", "MD5OfMessageBody": DIGEST, "MD5OfMessageAttributes": "0" * 32})
    with pytest.raises(UnprovenError, match="MD5 of other attributes"):
        await bench.clients["sqs"].send_message(
            QueueUrl=URL,
            MessageBody=BODY,
            MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}},
        )


@ON_ONE_LOOP
@pytest.mark.parametrize(
    "messages",
    ["none", {"0": MESSAGE}, [None], ["m"], [[MESSAGE]]],
    ids=["text", "object", "null", "texts", "lists"],
)
async def test_messages_that_are_not_a_list_of_objects_make_the_receive_fail(
    bench: Bench, source: SqsSource, messages: object
) -> None:
    answer_with(bench, {"Messages": messages})
    with pytest.raises(SourceError):
        await source.receive(10, wait=0, lease=30)


@ON_ONE_LOOP
@pytest.mark.parametrize(
    "document", [{}, {"Messages": []}, {"Messages": None}], ids=["absent", "empty", "null"]
)
async def test_a_receive_without_messages_is_empty(bench: Bench, source: SqsSource, document: object) -> None:
    answer_with(bench, document)
    assert await source.receive(10, wait=0, lease=30) == []


@ON_ONE_LOOP
async def test_two_different_messages_with_one_id_make_the_receive_fail(
    bench: Bench, source: SqsSource
) -> None:
    answer_with(bench, {"Messages": [MESSAGE, MESSAGE]})
    assert len(await source.receive(10, wait=0, lease=30)) == 2
    other = {**MESSAGE, "Body": "other", "MD5OfBody": "795f3202b17cb6bc3d4b771d8c6c9eaf"}
    answer_with(bench, {"Messages": [MESSAGE, other]})
    with pytest.raises(SourceError, match="two messages have one id"):
        await source.receive(10, wait=0, lease=30)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"Successful": [{"Id": "0"}, {"Id": "1"}]}, [DONE, DONE]),
        ({"Successful": [{"Id": "1"}]}, [FAILED, DONE]),
        ({"Successful": [{"Id": "99"}, {"Id": "-1"}, {"Id": "1"}]}, [FAILED, DONE]),
        ({"Successful": [{"Id": "zero"}, {}, None]}, [FAILED, FAILED]),
        ({"Successful": [{"Id": "0"}, {"Id": "0"}]}, [FAILED, FAILED]),
        ({"Successful": [{"Id": "0"}], "Failed": [{"Id": "0", "Code": "InternalError"}]}, [FAILED, FAILED]),
        ({"Failed": [{"Id": "0", "Code": "ReceiptHandleIsInvalid"}, {"Id": "1"}]}, [GONE, FAILED]),
        ({}, [FAILED, FAILED]),
    ],
    ids=["all", "not named", "unknown", "no number", "repeated", "both", "failed", "nothing"],
)
def test_an_entry_of_a_batch_is_done_only_if_the_response_names_it_once(
    response: dict[str, Any], expected: list[EntryOutcome]
) -> None:
    assert outcomes(response, 2) == expected


@ON_ONE_LOOP
@pytest.mark.parametrize("operation", ["delete", "hide", "send_dead_letter", "receive", "describe", "depth"])
@pytest.mark.parametrize("kind", ["a page", "a list", "nothing", "404 and a page", "403 and a page"])
async def test_a_wrong_response_never_means_a_missing_or_denied_queue(
    bench: Bench, source: SqsSource, kind: str, operation: str
) -> None:
    bench.server.call, bench.server.wrong = RECEIVE, WRONG_RESPONSES[kind]
    calls: dict[str, Any] = {
        "delete": lambda: source.delete([ENVELOPE]),
        "hide": lambda: source.hide([ENVELOPE], 30),
        "send_dead_letter": lambda: source.send_dead_letter(ENVELOPE, {}),
        "receive": lambda: source.receive(10, wait=0, lease=30),
        "describe": source.describe,
        "depth": source.depth,
    }
    with pytest.raises(SourceError) as caught:
        await calls[operation]()
    assert caught.value.kind is SourceErrorKind.UNAVAILABLE


@ON_ONE_LOOP
@pytest.mark.parametrize(
    "attributes",
    [
        {"RedrivePolicy": "{"},
        {"RedrivePolicy": "[]"},
        {"RedrivePolicy": '{"maxReceiveCount": "many"}'},
        {"VisibilityTimeout": "long"},
        {"ApproximateNumberOfMessages": "some"},
        {"QueueArn": "arn:aws:sqs:us-west-2:123456789012:another"},
    ],
    ids=["half a policy", "a list", "no number", "no time", "no count", "another queue"],
)
async def test_attributes_of_a_queue_that_cannot_be_read_are_an_error(
    bench: Bench, source: SqsSource, attributes: dict[str, str]
) -> None:
    answer_with(bench, {"Attributes": {"QueueArn": ARN, **attributes}})
    with pytest.raises(SourceError) as caught:
        await (source.depth() if "ApproximateNumberOfMessages" in attributes else source.describe())
    assert caught.value.kind is SourceErrorKind.UNAVAILABLE


@ON_ONE_LOOP
async def test_an_update_is_sent_again_if_the_queue_confirms_another_body(bench: Bench) -> None:
    answer_with(bench, {"MessageId": "m", "MD5OfMessageBody": DIGEST})
    publisher = Publisher(bench.clients["sqs"], URL, backoff=Backoff(base=0, floor=0))
    bench.counted.clear()
    with pytest.raises(NotYet, match="MD5 of another body"):
        await publisher.post(STAGED)
    assert bench.counted == [("sqs:SendMessage", "error")] * 3


@ON_ONE_LOOP
async def test_a_slash_and_a_newline_at_the_end_of_the_url_are_ignored(bench: Bench) -> None:
    sqs, urls = bench.clients["sqs"], list[str]()

    def keep(params: dict[str, Any], **_: Any) -> None:
        urls.append(params["QueueUrl"])

    bench.server.call, bench.server.wrong = RECEIVE, None
    sqs.meta.events.register("before-parameter-build.sqs", keep)
    await SqsSource(sqs, sqs, f" {URL}/\n").receive(1, wait=0, lease=30)
    sqs.meta.events.unregister("before-parameter-build.sqs", keep)
    assert urls == [URL]
