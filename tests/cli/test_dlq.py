"""Dead letters over a real SQS endpoint: looked at without loss, sent back in order, once."""

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

from orca_daemon.aws.clients import connect
from orca_daemon.aws.dead_letters import DeadLetters, Wanted
from orca_daemon.cli import app
from orca_daemon.local.moto import REGION
from orca_daemon.settings import load
from tests.waiting import PATIENCE, until

Made = tuple[str, str]


@pytest.fixture
def sqs(aws_endpoint: str) -> Iterator[Any]:
    with closing(boto3.client("sqs", endpoint_url=aws_endpoint, region_name=REGION)) as client:
        yield client


@pytest.fixture
def made(sqs: Any) -> Callable[[str], Made]:
    """Makes a queue with a dead-letter queue: their URLs."""

    def make(suffix: str) -> Made:
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
    """Runs the command line on a queue named `q`: its exit code, and its JSON."""

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


def drained(sqs: Any, url: str) -> list[Any]:
    found: list[Any] = []
    while got := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=60
    ).get("Messages"):
        for message in got:
            found.append(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def numbers(messages: list[Any]) -> list[int]:
    return [json.loads(message["Body"])["number"] for message in messages]


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_peeking_shows_the_reason_and_leaves_everything(
    sqs: Any, made: Callable[[str], Made], run: Callable[..., Any], suffix: str
) -> None:
    url, dead = made(suffix)
    for number in range(3):
        send_dead_letter(sqs, dead, number, group="g" if suffix else None)

    listed = run(url, "list", "q", "--json")
    again = run(url, "list", "q", "--json")

    reported = [each["evidence"]["message_id"] for each in again["letters"]]
    assert sorted(reported) == ["m-0", "m-1", "m-2"]
    assert len(listed["letters"]) == len(again["letters"]) == 3
    assert listed["approximate_count"] == 3
    assert numbers(drained(sqs, dead)) == [0, 1, 2] or not suffix


def test_filters_must_all_hold(sqs: Any, made: Callable[[str], Made], run: Callable[..., Any]) -> None:
    url, dead = made("")
    send_dead_letter(sqs, dead, 1, reason="no such key")
    send_dead_letter(sqs, dead, 2, reason="Bad JSON")

    assert [each["reason"] for each in run(url, "list", "q", "--reason", "bad j", "--json")["letters"]] == [
        "Bad JSON"
    ]
    assert run(url, "list", "q", "--error", "KeyError", "--json")["letters"] == []
    assert run(url, "list", "q", "--until", "1d", "--json")["letters"] == []


def test_one_is_shown_with_its_body_by_the_id_that_logs_have(
    sqs: Any, made: Callable[[str], Made], run: Callable[..., Any]
) -> None:
    url, dead = made("")
    send_dead_letter(sqs, dead, 7)

    shown = run(url, "show", "q", "m-7", "--json")

    assert json.loads(shown["body"]) == {"number": 7}
    assert shown["attributes"] == {"RequestMethod": "update_file"}
    run(url, "show", "q", "m-8", code=1)


def test_a_redrive_keeps_order_and_attributes_and_takes_the_evidence_off(
    sqs: Any, made: Callable[[str], Made], run: Callable[..., Any]
) -> None:
    url, dead = made(".fifo")
    for number in range(25):
        send_dead_letter(sqs, dead, number, group="g")

    tally = run(url, "redrive", "q", "--rate", "0", "--yes", "--json")

    assert tally == {"moved": 25, "failed": 0, "passed_over": 0}
    messages = drained(sqs, url)
    assert numbers(messages) == list(range(25))
    assert all(set(message["MessageAttributes"]) == {"RequestMethod"} for message in messages)
    assert drained(sqs, dead) == []


def test_a_redrive_takes_no_more_than_its_limit(
    sqs: Any, made: Callable[[str], Made], run: Callable[..., Any]
) -> None:
    url, dead = made(".fifo")
    for number in range(5):
        send_dead_letter(sqs, dead, number, group="g")

    assert run(url, "redrive", "q", "--max", "2", "--rate", "0", "--yes", "--json")["moved"] == 2
    assert numbers(drained(sqs, url)) == [0, 1]
    assert numbers(drained(sqs, dead)) == [2, 3, 4]


def test_a_redrive_that_is_interrupted_says_how_far_it_came_and_gives_back_the_rest(
    sqs: Any, made: Callable[[str], Made], aws_endpoint: str
) -> None:
    url, dead = made(".fifo")
    for number in range(12):
        send_dead_letter(sqs, dead, number, group="g")
    command = [sys.executable, "-m", "orca_daemon", "dlq", "redrive", "q", "--rate", "2", "--yes"]
    where = {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": aws_endpoint, "ORCA_QUEUES__Q__URL": url}
    redrive = subprocess.Popen(command, env=os.environ | where, stderr=subprocess.PIPE, text=True)
    until(lambda: waiting(sqs, url))

    redrive.send_signal(signal.SIGINT)
    output = redrive.communicate(timeout=PATIENCE)[1]

    sent, left = numbers(drained(sqs, url)), numbers(drained(sqs, dead))
    assert redrive.returncode == 130
    # One of them may have been sent and not yet deleted.
    assert int(output.split(" were sent back")[0].split()[-1]) in {len(sent), len(sent) - 1}
    assert sent == list(range(len(sent)))
    assert sorted({*sent, *left}) == list(range(12))


def waiting(sqs: Any, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


async def test_what_is_passed_over_is_hidden_once_and_given_back_once(
    sqs: Any, made: Callable[[str], Made], aws_endpoint: str
) -> None:
    url, dead = made("")
    for number in range(40):
        send_dead_letter(sqs, dead, number)
    calls: list[object] = []
    settings = load(None, {"AWS_REGION": REGION, "ORCA_AWS__ENDPOINT_URL": aws_endpoint}, need_queue=False)

    async with connect(settings) as clients:
        events = clients.control.meta.events
        events.register("before-call.sqs.ChangeMessageVisibilityBatch", lambda **_: calls.append(1))
        found = await (await DeadLetters.of(clients, url)).peek(Wanted(error="Nothing"), 100)

    assert (found, len(calls)) == ([], 4)


def test_a_dry_run_moves_nothing(sqs: Any, made: Callable[[str], Made], run: Callable[..., Any]) -> None:
    url, dead = made("")
    send_dead_letter(sqs, dead, 1)

    assert len(run(url, "redrive", "q", "--dry-run", "--json")["would_move"]) == 1
    assert numbers(drained(sqs, dead)) == [1]
    assert drained(sqs, url) == []


def test_only_the_named_ones_go_back(sqs: Any, made: Callable[[str], Made], run: Callable[..., Any]) -> None:
    url, dead = made("")
    for number in range(4):
        send_dead_letter(sqs, dead, number)

    assert run(url, "redrive", "q", "m-2", "--rate", "0", "--yes", "--json")["moved"] == 1
    assert numbers(drained(sqs, url)) == [2]
    assert sorted(numbers(drained(sqs, dead))) == [0, 1, 3]


def test_nobody_to_ask_is_a_mistake_of_usage(made: Callable[[str], Made], run: Callable[..., Any]) -> None:
    run(made("")[0], "redrive", "q", code=2)


def test_a_queue_that_is_not_there_is_named(made: Callable[[str], Made], run: Callable[..., Any]) -> None:
    gone = f"{made('')[0]}-gone"
    output = run(gone, "list", "q", code=1)
    assert output.startswith(f"orca-daemon: queue q, {gone}: missing (")


def test_a_queue_without_a_dead_letter_queue_is_one_line(sqs: Any, run: Callable[..., Any]) -> None:
    url = sqs.create_queue(QueueName=f"alone-{uuid4().hex[:12]}")["QueueUrl"]

    assert "no dead-letter queue" in run(url, "list", "q", code=1)
    assert "those that do: q" in run(url, "list", "other", code=2)
