"""`orca-daemon dlq` and evidence: forged evidence never becomes a reason, and a trace header is kept."""

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from orca_daemon.aws.dead_letter import BY_SQS, NO_EVIDENCE, NO_ROOM, UNREADABLE, letter
from orca_daemon.cli import app
from orca_daemon.engine.message import Envelope
from orca_daemon.local.moto import REGION
from tests.aws.s3copy.faulty import Fault, Faulty
from tests.conftest import QueuePair

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

Run = Callable[..., Any]
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
HEADER: Any = {"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}}


@pytest.fixture
def pair(queues: Callable[..., QueuePair]) -> QueuePair:
    return queues()


@pytest.fixture
def run(sqs_endpoint: str, pair: QueuePair) -> Run:
    """Runs `dlq`; returns the parsed JSON, or the output."""

    def call(*arguments: str, code: int = 0, endpoint: str = sqs_endpoint, url: str = pair.url) -> Any:
        environment = {
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": endpoint,
            "ORCA_QUEUES__Q__URL": url,
            "ORCA_QUEUES__Q__ROUTE": "status_update",
        }
        result = CliRunner().invoke(app, ["dlq", *arguments], env=environment)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if "--json" in arguments else result.output

    return call


def text(value: str) -> Any:
    return {"DataType": "String", "StringValue": value}


def send_dead_letter(sqs: "SQSClient", pair: QueuePair, body: str, evidence: str | None, **more: Any) -> None:
    attributes = {} if evidence is None else {"OrcaDaemonEvidence": text(evidence)}
    sqs.send_message(QueueUrl=pair.dead_letter_url, MessageBody=body, MessageAttributes=attributes, **more)


def exceed_max_receives(sqs: "SQSClient", pair: QueuePair, body: str, **more: Any) -> None:
    """Send a message and receive it until SQS itself moves it to the dead-letter queue."""
    sqs.send_message(QueueUrl=pair.url, MessageBody=body, **more)
    while sqs.receive_message(QueueUrl=pair.url, VisibilityTimeout=0).get("Messages"):
        pass


FORGED = {
    "no JSON": "{",
    "not ASCII": "ü",
    "a list": "[1]",
    "a number": "7",
    "deeply nested": "[" * 5000 + "]" * 5000,
    "nested within": json.dumps({"reason": {"a": [{}]}}),
    "a time as text": json.dumps({"buried_at": "never"}),
    "NaN": '{"buried_at": NaN}',
    "an infinite time": '{"buried_at": 1e999, "attempts": [1]}',
    "a time in the future": json.dumps({"buried_at": 1e15}),
    "a time below zero": json.dumps({"buried_at": -1e15}),
    "a boolean": json.dumps({"buried_at": True, "reason": None}),
    "a huge number": '{"attempts": ' + "9" * 4000 + "}",
    "a number too long for Python": '{"attempts": ' + "9" * 5000 + "}",
    "a lone surrogate": '{"reason2": "\\ud800", "error": "\\ud800"}',
    "a control sequence": json.dumps({"error": "\x1b[2J"}),
    "a long text": json.dumps({"error": "x" * 100_000}),
}


@pytest.mark.parametrize("kind", FORGED)
def test_forged_evidence_gives_neither_a_reason_nor_a_time(kind: str) -> None:
    raw = {"OrcaDaemonEvidence": text(FORGED[kind])}
    attributes = {"OrcaDaemonEvidence": FORGED[kind]}
    forged = letter(
        Envelope(id="m", receipt="r", body="", attributes=attributes, raw_attributes=raw, sent_at=1e9)
    )
    assert (forged.reason, forged.dead_lettered_at) == (UNREADABLE, 1e9)
    assert json.loads(json.dumps(dict(forged.evidence))) == forged.evidence
    assert str(forged.evidence).encode()


def test_forged_evidence_spoils_nothing_for_the_others(sqs: "SQSClient", pair: QueuePair, run: Run) -> None:
    for evidence in FORGED.values():
        send_dead_letter(sqs, pair, "forged", evidence)
    send_dead_letter(
        sqs, pair, "honest", json.dumps({"reason": "no such key", "buried_at": 1, "message_id": "m-1"})
    )

    letters = run("list", "q", "--json")["letters"]

    reasons = [letter["reason"] for letter in letters]
    assert sorted(reasons) == ["no such key", *[UNREADABLE] * len(FORGED)]
    output = run("list", "q")
    assert "no such key" in output
    assert "\x1b" not in output
    assert "x" * 100_000 in output
    assert "reason: not known" in run("show", "q", letters[reasons.index(UNREADABLE)]["id"])
    assert run("redrive", "q", "--yes", "--json", "--rate", "0")["moved"] == len(FORGED) + 1


def test_the_reason_is_the_one_that_is_known(sqs: "SQSClient", pair: QueuePair, run: Run) -> None:
    ten = {f"a{number}": text("1") for number in range(10)}
    sqs.send_message(QueueUrl=pair.dead_letter_url, MessageBody="ten", MessageAttributes=ten)
    send_dead_letter(sqs, pair, "sent", None)
    stale = {"OrcaDaemonEvidence": text(json.dumps({"reason": "of an earlier time", "buried_at": 1}))}
    exceed_max_receives(sqs, pair, "moved")
    exceed_max_receives(sqs, pair, "moved again", MessageAttributes=stale)

    letters = run("list", "q", "--json")["letters"]

    reasons = {run("show", "q", each["id"], "--json")["body"]: each["reason"] for each in letters}
    assert reasons == {"ten": NO_ROOM, "sent": NO_EVIDENCE, "moved": BY_SQS, "moved again": BY_SQS}
    assert all(each["buried_at"] > 1e9 for each in letters)


def test_a_dead_letter_is_printed_with_lines_and_iso_times(
    sqs: "SQSClient", pair: QueuePair, run: Run
) -> None:
    evidence = {"reason": "bad", "buried_at": 1_795_910_695.9, "sent_at": 1_795_910_000, "message_id": "m-1"}
    send_dead_letter(
        sqs, pair, json.dumps({"a": [1, 2], "b": "tab\there"}, indent=1) + "\r\n\x9b2J", json.dumps(evidence)
    )

    lines = run("show", "q", "m-1").splitlines()

    assert '  "dead-lettered at": "2026-11-29T00:04:55.900+00:00",' in lines
    assert '  "sent_at": "2026-11-28T23:53:20.000+00:00",' in lines
    assert "dead-lettered at: 2026-11-29T00:04:55.900+00:00" in lines
    assert "body: {" in lines
    assert ' "a": [' in lines
    assert lines[-1] == "\N{REPLACEMENT CHARACTER}2J"
    # JSON keeps numbers.
    assert run("show", "q", "m-1", "--json")["buried_at"] == 1_795_910_695.9


def test_a_redrive_keeps_the_header_of_a_trace(sqs: "SQSClient", pair: QueuePair, run: Run) -> None:
    send_dead_letter(sqs, pair, "traced", json.dumps({"reason": "bad"}), MessageSystemAttributes=HEADER)

    run("redrive", "q", "--yes", "--json")

    response = sqs.receive_message(QueueUrl=pair.url, MessageSystemAttributeNames=["All"], WaitTimeSeconds=1)
    assert response["Messages"][0]["Attributes"]["AWSTraceHeader"] == TRACE


LIES = {
    "a page": "<html>log in</html>",
    "an object": "{}",
    "nothing": "",
    "a list": "[1]",
    "no digest": '{"MessageId": "m"}',
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_redrive_deletes_nothing_for_an_answer_that_proves_nothing(
    sqs: "SQSClient", pair: QueuePair, run: Run, sqs_endpoint: str, lie: str
) -> None:
    send_dead_letter(sqs, pair, "kept", json.dumps({"reason": "bad"}))
    async with Faulty(sqs_endpoint) as proxy:
        page = Fault(lambda request: "SendMessage" in request.headers.get("X-Amz-Target", ""), page=lie)
        proxy.fail(page)
        result = await asyncio.to_thread(run, "redrive", "q", "--yes", "--json", code=1, endpoint=proxy.url)

    assert (result["moved"], result["failed"], page.hits) == (0, 1, 1)
    assert "not an answer of AWS to SendMessage" in result["reasons"][0]
    left = sqs.receive_message(QueueUrl=pair.dead_letter_url, WaitTimeSeconds=1)["Messages"]
    assert [message["Body"] for message in left] == ["kept"]


def test_a_redrive_reports_why_a_message_was_not_sent(sqs: "SQSClient", pair: QueuePair, run: Run) -> None:
    sqs.set_queue_attributes(QueueUrl=pair.url, Attributes={"MaximumMessageSize": "1024"})
    send_dead_letter(sqs, pair, "x" * 2000, json.dumps({"reason": "bad"}))

    result = run("redrive", "q", "--yes", "--json", code=1)

    assert result["reasons"] == ["too_large (the queue takes no message of this size)"]


def test_the_error_of_a_queue_in_another_region_names_the_setting(run: Run) -> None:
    output = run("list", "q", code=1, url="https://sqs.eu-west-1.amazonaws.com/1/q")
    assert "is in eu-west-1, and requests go to us-west-2: set AWS_REGION=eu-west-1" in output
