"""`orca-daemon dlq export` and `dlq delete` over a real SQS: questions, results, and killed processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner, Result

from orca_daemon.aws import dead_letter_queue
from orca_daemon.cli import app
from orca_daemon.local.moto import REGION
from tests.conftest import QueuePair
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

SHORT_LEASE = """
from orca_daemon.aws import dead_letter_queue
from orca_daemon.cli import app
dead_letter_queue.LEASE = 3.0
app()
"""
"""The command line; what it receives comes back three seconds after it was killed, not two minutes."""


@pytest.fixture
def pair(
    monkeypatch: pytest.MonkeyPatch,
    queues: Callable[..., QueuePair],
    sqs_endpoint: str,
    aws_endpoint: str,
) -> QueuePair:
    pair = queues(fifo=True)
    monkeypatch.setattr(dead_letter_queue, "WAIT", 0)  # the embedded SQS has one server, which a poll asks
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("ORCA_AWS__ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("ORCA_AWS__SQS_ENDPOINT_URL", sqs_endpoint)
    monkeypatch.setenv("STATUS_UPDATE_QUEUE_URL", pair.url)
    return pair


def run(*arguments: str, code: int = 0, answers: str = "") -> Result:
    result = CliRunner().invoke(app, ["dlq", *arguments], input=answers)
    assert result.exit_code == code, result.output
    return result


def send(sqs: "SQSClient", pair: QueuePair, number: int, reason: str = "no such key") -> None:
    attribute: Any = {"DataType": "String", "StringValue": json.dumps({"reason": reason})}
    for index in range(number):
        sqs.send_message(
            QueueUrl=pair.dead_letter_url,
            MessageBody=str(index),
            MessageAttributes={"OrcaDaemonEvidence": attribute},
            MessageGroupId="g",
            MessageDeduplicationId=uuid4().hex,
        )


def left(sqs: "SQSClient", pair: QueuePair) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=pair.dead_letter_url, AttributeNames=names)["Attributes"]
    return sum(map(int, attributes.values()))


def test_a_deletion_asks_twice_and_takes_no_other_answer(
    sqs: "SQSClient", pair: QueuePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(sqs, pair, 2)
    which = ("delete", "status_update", "--reason", "no such")
    assert "say which" in run("delete", "status_update", code=2).stderr
    assert "stdin is not a terminal" in run(*which, code=2).stderr
    assert "--confirm status_update answers the second" in run(*which, "--yes", code=2).stderr
    assert "is not the queue" in run(*which, "--yes", "--confirm", "recovery", code=2).stderr
    assert "--json and --csv cannot ask" in run(*which, "--json", code=2).stderr
    monkeypatch.setattr("orca_daemon.cli.confirm.is_terminal", lambda: True)
    assert "nothing was deleted" in run(*which, answers="y\nyes\n", code=1).stderr
    run(*which, answers="n\n", code=1)
    assert left(sqs, pair) == 2

    assert "2 of those that SQS returns would be deleted" in run(*which, "--dry-run").stderr
    assert run(*which, answers="y\nstatus_update\n").stdout.endswith(
        "2 deleted, 0 failed, 0 left: no match, or newer.\n"
    )
    assert left(sqs, pair) == 0


def test_an_export_says_what_is_left_and_that_only_a_deletion_shows_the_rest(
    sqs: "SQSClient", pair: QueuePair, tmp_path: Path
) -> None:
    send(sqs, pair, 12)
    path = tmp_path / "dead.jsonl"

    copied = run("export", "status_update", str(path))
    moved = json.loads(run("export", "status_update", str(path), "--delete", "--yes", "--json").stdout)

    assert copied.stdout == f"10 in {path}.\n"
    assert (
        "about 2 more dead letters are on the queue: of a FIFO queue only --delete exports all"
        in copied.stderr
    )
    assert moved == {
        "kind": "dlq export",
        "format": 1,
        "exported": 12,
        "deleted": 12,
        "failed": 0,
        "files": [str(path)],
        "more": 0,
    }
    assert [json.loads(line)["body"] for line in path.read_text().splitlines()] == [str(n) for n in range(12)]
    run("export", "status_update", str(tmp_path / "no" / "folder"), code=1)
    assert "is not of the form" in run("export", "status_update", "s3://", code=2).stderr


def test_all_queues_are_listed_without_receiving_anything(
    connection: Connection, sqs: "SQSClient", pair: QueuePair
) -> None:
    send(sqs, pair, 1)
    insert = (
        "INSERT INTO orca.orca_daemon_dead_letter (id, original_id, queue, reason, facts, dead_lettered_at)"
        " VALUES ('d-1', 'm-1', 'status_update', 'no such key', CAST(:facts AS jsonb), now())"
    )
    connection.execute(text(insert), {"facts": json.dumps({"attempts": 3})})

    shown = run("list")
    document = json.loads(run("list", "--json").stdout)
    one = json.loads(run("show", "status_update", "d-1", "--json").stdout)

    assert "status_update" in shown.stdout
    assert "no such key" in shown.stdout
    [queue] = document["queues"]
    assert (queue["queue"], queue["approximate_count"], queue["recorded"]) == ("status_update", 1, 1)
    [letter] = document["letters"]
    assert (letter["id"], letter["queue"], letter["source"]) == ("d-1", "status_update", "database")
    assert (one["evidence"], "body" in one) == ({"attempts": 3}, False)
    response = sqs.receive_message(QueueUrl=pair.dead_letter_url, MessageSystemAttributeNames=["All"])
    assert response["Messages"][0]["Attributes"]["ApproximateReceiveCount"] == "2"  # ours, and that of `show`


def killed(*arguments: str, when: Callable[[], bool]) -> None:
    """Run the command as a process, and kill it."""
    command = [sys.executable, "-c", SHORT_LEASE, "dlq", *arguments]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(when)
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)


@pytest.mark.matrix
@pytest.mark.parametrize("verb", ["export", "delete"])
def test_a_command_that_is_killed_goes_on_by_its_id_and_loses_nothing(
    connection: Connection, sqs: "SQSClient", pair: QueuePair, tmp_path: Path, verb: str
) -> None:
    send(sqs, pair, 60)
    path = tmp_path / "dead.jsonl"
    options = {
        "export": (str(path), "--delete", "--yes"),
        "delete": ("--all", "--yes", "--confirm", "status_update"),
    }
    arguments = (verb, "status_update", *options[verb], "--action-id", str(uuid4()))

    killed(*arguments, when=lambda: left(sqs, pair) <= 50)
    connection.execute(text("UPDATE orca.orca_daemon_action SET seen_at = seen_at - interval '1 minute'"))
    before = left(sqs, pair)
    run(*arguments)

    assert 0 < before <= 50
    assert left(sqs, pair) == 0
    if verb == "export":
        bodies = [json.loads(line)["body"] for line in path.read_text().splitlines()]
        assert bodies == [str(number) for number in range(60)]
    marked = "SELECT count(*) FROM orca.orca_daemon_dead_letter WHERE deleted_at IS NOT NULL"
    assert connection.scalar(text(marked)) == 60
    row = connection.execute(text("SELECT done, finished_at FROM orca.orca_daemon_action")).one()
    assert row.done == 60
    assert row.finished_at is not None
