"""`orca-daemon dlq` over a real SQS endpoint: dead letters are not lost, and go back once, in order."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import boto3
import pytest
from typer.testing import CliRunner

from orca_daemon.cli import app
from orca_daemon.local.moto import REGION
from tests.waiting import PATIENCE, until

UrlPair = tuple[str, str]
"""The URLs of a queue and of its dead-letter queue."""


@pytest.fixture
def sqs(aws_endpoint: str) -> Iterator[Any]:
    with closing(boto3.client("sqs", endpoint_url=aws_endpoint, region_name=REGION)) as client:
        yield client


@pytest.fixture
def make_queue(sqs: Any) -> Callable[[str], UrlPair]:
    """Makes a queue with a dead-letter queue; the suffix of their names is empty or `.fifo`."""

    def make(suffix: str) -> UrlPair:
        name = f"q-{uuid4().hex[:12]}"
        kind = {"FifoQueue": "true"} if suffix else {}
        dead = sqs.create_queue(QueueName=f"{name}-dead{suffix}", Attributes=kind)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})
        url = sqs.create_queue(QueueName=f"{name}{suffix}", Attributes=kind | {"RedrivePolicy": policy})
        return url["QueueUrl"], dead

    return make


@pytest.fixture
def run(aws_endpoint: str) -> Callable[..., Any]:
    """Runs `dlq` with a queue named `q`; returns the parsed JSON, or the output if there is none."""

    def call(url: str, *arguments: str, code: int = 0) -> Any:
        environment = {
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": aws_endpoint,
            "ORCA_QUEUES__Q__URL": url,
            "ORCA_QUEUES__Q__ROUTE": "status_update",
        }
        result = CliRunner().invoke(app, ["dlq", *arguments], env=environment)
        assert code == result.exit_code, result.output
        return json.loads(result.stdout) if "--json" in arguments and not code else result.output

    return call


def send_dead_letter(
    sqs: Any, dead: str, number: int, *, group: str | None = None, reason: str = "no such key"
) -> None:
    evidence = {"reason": reason, "error": "Reject", "attempts": 1, "message_id": f"m-{number}"}
    fifo = {"MessageGroupId": group, "MessageDeduplicationId": f"m-{number}"} if group else {}
    sqs.send_message(
        QueueUrl=dead,
        MessageBody=json.dumps({"number": number}),
        MessageAttributes={
            "OrcaDaemonEvidence": {"DataType": "String", "StringValue": json.dumps(evidence)},
            "RequestMethod": {"DataType": "String", "StringValue": "update_file"},
        },
        **fifo,
    )


def drain(sqs: Any, url: str) -> list[Any]:
    """Receive and delete all messages."""
    drained: list[Any] = []
    while received := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=60
    ).get("Messages"):
        for message in received:
            drained.append(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return drained


def numbers(messages: list[Any]) -> list[int]:
    return [json.loads(message["Body"])["number"] for message in messages]


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_listing_twice_returns_all_dead_letters_twice(
    sqs: Any, make_queue: Callable[[str], UrlPair], run: Callable[..., Any], suffix: str
) -> None:
    url, dead = make_queue(suffix)
    for number in range(3):
        send_dead_letter(sqs, dead, number, group="g" if suffix else None)

    first = run(url, "list", "q", "--json")
    second = run(url, "list", "q", "--json")

    ids = [letter["evidence"]["message_id"] for letter in second["letters"]]
    assert sorted(ids) == ["m-0", "m-1", "m-2"]
    assert len(first["letters"]) == len(second["letters"]) == 3
    assert first["approximate_count"] == 3
    assert numbers(drain(sqs, dead)) == [0, 1, 2] or not suffix


def test_filters_select_by_reason_error_and_time(
    sqs: Any, make_queue: Callable[[str], UrlPair], run: Callable[..., Any]
) -> None:
    url, dead = make_queue("")
    send_dead_letter(sqs, dead, 1, reason="no such key")
    send_dead_letter(sqs, dead, 2, reason="Bad JSON")

    letters = run(url, "list", "q", "--reason", "bad j", "--json")["letters"]
    assert [letter["reason"] for letter in letters] == ["Bad JSON"]
    assert run(url, "list", "q", "--error", "KeyError", "--json")["letters"] == []
    assert run(url, "list", "q", "--until", "1d", "--json")["letters"] == []


def test_an_empty_list_says_whether_the_queue_is_empty(
    sqs: Any, make_queue: Callable[[str], UrlPair], run: Callable[..., Any]
) -> None:
    url, dead = make_queue("")
    assert run(url, "list", "q") == "The dead-letter queue of q is empty.\n"
    send_dead_letter(sqs, dead, 1)
    assert run(url, "list", "q", "--reason", "other") == (
        "No dead letter matches among those that SQS returned; the dead-letter queue has about 1.\n"
    )


def test_a_dead_letter_is_shown_by_the_message_id_of_the_log(
    sqs: Any, make_queue: Callable[[str], UrlPair], run: Callable[..., Any]
) -> None:
    url, dead = make_queue("")
    send_dead_letter(sqs, dead, 7)

    letter = run(url, "show", "q", "m-7", "--json")

    assert json.loads(letter["body"]) == {"number": 7}
    assert letter["attributes"] == {"RequestMethod": "update_file"}
    run(url, "show", "q", "m-8", code=1)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "JSON"])
def test_the_token_of_a_task_is_not_shown(
    sqs: Any, make_queue: Callable[[str], UrlPair], run: Callable[..., Any], form: tuple[str, ...]
) -> None:
    url, dead = make_queue("")
    sqs.send_message(QueueUrl=dead, MessageBody=json.dumps({"taskToken": "AQC4+secret==", "payload": 7}))
    letters = run(url, "list", "q", "--json")["letters"]

    shown = run(url, "show", "q", letters[0]["id"], *form)

    body = shown["body"] if form else shown.partition("body: ")[2]
    assert json.loads(body) == {"taskToken": "(hidden)", "payload": 7}


def test_a_redrive_keeps_order_and_attributes_and_removes_the_evidence(
    sqs: Any, make_queue: Callable[[str], UrlPair], run: Callable[..., Any]
) -> None:
    url, dead = make_queue(".fifo")
    for number in range(25):
        send_dead_letter(sqs, dead, number, group="g")

    result = run(url, "redrive", "q", "--rate", "0", "--yes", "--json")

    counts = {"moved": 25, "failed": 0, "passed_over": 0}
    assert result == {"kind": "dlq redrive", "format": 1, **counts}
    messages = drain(sqs, url)
    assert numbers(messages) == list(range(25))
    assert all(set(message["MessageAttributes"]) == {"RequestMethod"} for message in messages)
    assert drain(sqs, dead) == []


def test_a_redrive_moves_no_more_than_its_limit(
    sqs: Any, make_queue: Callable[[str], UrlPair], run: Callable[..., Any]
) -> None:
    url, dead = make_queue(".fifo")
    for number in range(5):
        send_dead_letter(sqs, dead, number, group="g")

    assert run(url, "redrive", "q", "--max", "2", "--rate", "0", "--yes", "--json")["moved"] == 2
    assert numbers(drain(sqs, url)) == [0, 1]
    assert numbers(drain(sqs, dead)) == [2, 3, 4]


def test_an_interrupted_redrive_reports_its_count_and_keeps_the_rest(
    sqs: Any, make_queue: Callable[[str], UrlPair], aws_endpoint: str
) -> None:
    url, dead = make_queue(".fifo")
    for number in range(12):
        send_dead_letter(sqs, dead, number, group="g")
    command = [sys.executable, "-m", "orca_daemon", "dlq", "redrive", "q", "--rate", "2", "--yes"]
    environment = {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": aws_endpoint, "ORCA_QUEUES__Q__URL": url}
    redrive = subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True)
    until(lambda: count(sqs, url))

    redrive.send_signal(signal.SIGINT)
    output = redrive.communicate(timeout=PATIENCE)[1]

    sent, left = numbers(drain(sqs, url)), numbers(drain(sqs, dead))
    assert redrive.returncode == 130
    # The last one may have been sent, but not deleted and counted.
    assert int(output.split(" were sent back")[0].split()[-1]) in {len(sent), len(sent) - 1}
    assert sent == list(range(len(sent)))
    assert sorted({*sent, *left}) == list(range(12))


def count(sqs: Any, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def test_a_dry_run_moves_nothing(
    sqs: Any, make_queue: Callable[[str], UrlPair], run: Callable[..., Any]
) -> None:
    url, dead = make_queue("")
    send_dead_letter(sqs, dead, 1)

    assert len(run(url, "redrive", "q", "--dry-run", "--json")["would_move"]) == 1
    assert numbers(drain(sqs, dead)) == [1]
    assert drain(sqs, url) == []


def test_a_redrive_of_ids_moves_only_these(
    sqs: Any, make_queue: Callable[[str], UrlPair], run: Callable[..., Any]
) -> None:
    url, dead = make_queue("")
    for number in range(4):
        send_dead_letter(sqs, dead, number)

    assert run(url, "redrive", "q", "m-2", "--rate", "0", "--yes", "--json")["moved"] == 1
    assert numbers(drain(sqs, url)) == [2]
    assert sorted(numbers(drain(sqs, dead))) == [0, 1, 3]


def test_a_redrive_without_a_terminal_needs_yes(
    make_queue: Callable[[str], UrlPair], run: Callable[..., Any]
) -> None:
    output = run(make_queue("")[0], "redrive", "q", code=2)
    assert "stdin is not a terminal; pass --yes or --dry-run" in output


def test_a_redrive_whose_output_is_json_needs_yes(
    make_queue: Callable[[str], UrlPair], run: Callable[..., Any]
) -> None:
    output = run(make_queue("")[0], "redrive", "q", "--json", code=2)
    assert output == "orca-daemon: --json and --csv cannot ask; pass --yes or --dry-run\n"


def test_the_error_of_a_missing_queue_names_it(
    make_queue: Callable[[str], UrlPair], run: Callable[..., Any]
) -> None:
    missing = f"{make_queue('')[0]}-missing"
    output = run(missing, "list", "q", code=1)
    assert output.startswith(f"orca-daemon: queue q, {missing}: missing (")


def test_a_queue_without_a_dead_letter_queue_is_reported_in_one_line(
    sqs: Any, run: Callable[..., Any]
) -> None:
    url = sqs.create_queue(QueueName=f"alone-{uuid4().hex[:12]}")["QueueUrl"]

    assert "no dead-letter queue" in run(url, "list", "q", code=1)
    assert "those that do: q" in run(url, "list", "other", code=2)
