"""`orca-daemon failures` on a real Postgres, SQS and S3: groups, recovering and redriving them, and kills."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner, Result

from orca_daemon.aws import dead_letter_queue
from orca_daemon.cli import app
from orca_daemon.local.moto import REGION
from orca_daemon.wire.status import RecoveryStatus
from tests.cli.conftest import insert_recovery
from tests.conftest import QueuePair
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

FAILED = RecoveryStatus.FAILED
SHORT_LEASE = """
from orca_daemon.aws import dead_letter_queue
from orca_daemon.cli import app
dead_letter_queue.LEASE = 3.0
app()
"""
"""The command line; what it receives comes back three seconds after it was killed, not two minutes."""
pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def pair(queues: Callable[..., QueuePair]) -> QueuePair:
    return queues()


@pytest.fixture(autouse=True)
def environment(
    monkeypatch: pytest.MonkeyPatch, sqs_endpoint: str, aws_endpoint: str, pair: QueuePair
) -> None:
    monkeypatch.setattr(dead_letter_queue, "WAIT", 0)  # the embedded SQS has one server, which a poll asks
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("ORCA_AWS__ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("ORCA_AWS__SQS_ENDPOINT_URL", sqs_endpoint)
    monkeypatch.setenv("RECOVERY_QUEUE_URL", pair.url)


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["failures", *arguments])
    assert result.exit_code == code, result.output
    return result


def as_json(*arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return document


def send_letter(sqs: "SQSClient", pair: QueuePair, number: int, reason: str = "") -> str:
    evidence = {"reason": reason or f"s3://archive/{number}.h5 does not exist", "error": "Reject"}
    attribute: Any = {"DataType": "String", "StringValue": json.dumps(evidence)}
    return sqs.send_message(
        QueueUrl=pair.dead_letter_url,
        MessageBody=json.dumps({"number": number}),
        MessageAttributes={"OrcaDaemonEvidence": attribute},
    )["MessageId"]


def bodies(sqs: "SQSClient", url: str) -> list[Any]:
    """Receive and delete all messages."""
    found: list[Any] = []
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in received:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def count(sqs: "SQSClient", url: str) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, attributes.values()))


def put_archived(connection: Connection, s3: "S3Client", bucket: str, number: int) -> None:
    """Failed files with one reason, whose objects can be copied; the jobs are j0, j1, …"""
    for each in range(number):
        error = f"s3://{bucket}/{each}.h5 was denied"
        insert_recovery(connection, f"j{each}", FAILED, archive=bucket, error=error, age=(number - each) / 60)
    s3.put_object(Bucket=bucket, Key="d/0.h5", Body=b"x")


def test_failures_are_listed_by_reason_and_a_group_is_shown_with_an_example(
    connection: Connection, sqs: "SQSClient", pair: QueuePair
) -> None:
    for number in range(2):
        insert_recovery(connection, f"j{number}", FAILED, error=f"s3://archive/{number}.h5 was denied")
    send_letter(sqs, pair, 1)

    listed = as_json()
    groups = {group["source"]: group for group in listed["groups"]}
    shown = run("--reason-id", groups["files"]["reason_id"])

    assert {name: groups["files"][name] for name in ("count", "reason", "can_recover")} == {
        "count": 2,
        "reason": "s3://archive/<name> was denied",
        "can_recover": True,
    }
    letters = groups["dead_letters"]
    assert (letters["queue"], letters["count"], letters["can_redrive"]) == ("recovery", 1, True)
    assert [queue["more"] for queue in listed["queues"]] == [1]
    assert "s3://archive/<name> was denied" in shown.stdout
    assert ".h5 was denied" in shown.stderr
    files = ("--reason-id", groups["files"]["reason_id"])
    assert "--redrive is for dead letters" in run(*files, "--redrive", "--yes", code=2).stderr
    run("--recover", "--yes", code=2)
    run("--reason-id", "zzz", code=1)


def test_nothing_that_failed_says_so() -> None:
    assert run().stderr.startswith("Nothing failed since ")


@pytest.mark.usefixtures("destinations")
def test_the_files_of_a_reason_are_requested_again_once(
    connection: Connection, sqs: "SQSClient", s3: "S3Client", pair: QueuePair, bucket: Callable[[], str]
) -> None:
    name = bucket()
    put_archived(connection, s3, name, 12)
    insert_recovery(connection, "other", FAILED, archive=name, error="another reason")
    insert_recovery(connection, "gone", FAILED, archive=f"{name}-gone", error=f"s3://{name}/x1 was denied")
    [group] = [group for group in as_json()["groups"] if group["count"] > 1]
    reason, action = group["reason_id"], str(uuid4())

    plan = as_json("--reason-id", reason, "--recover", "--dry-run")
    arguments = ("--reason-id", reason, "--recover", "--yes", "--rate", "0", "--action-id", action)
    done = as_json(*arguments)
    again = run(*arguments)

    assert (plan["files"], len(plan["checked"])) == (13, 13)
    assert (done["posted"], done["not_ready"], done["failed"]) == (12, 1, 0)
    assert done["action_id"] == action
    assert "nothing to do: recover failures" in again.stderr
    assert sorted(each["jobId"] for each in bodies(sqs, pair.url)) == sorted(f"j{each}" for each in range(12))
    row = connection.execute(text("SELECT what, wanted, done, result FROM orca.orca_daemon_action")).one()
    assert (row.what, row.wanted, row.done) == ("recover failures", 13, 12)
    assert row.result == {"posted": 12, "not_ready": 1, "failed": 0, "error": None}


def test_the_dead_letters_of_a_reason_are_sent_back_and_marked(
    connection: Connection, sqs: "SQSClient", pair: QueuePair
) -> None:
    sent = [send_letter(sqs, pair, number) for number in range(3)]
    send_letter(sqs, pair, 9, "another reason")
    [group] = [group for group in as_json()["groups"] if group["count"] == 3]

    plan = as_json("--reason-id", group["reason_id"], "--redrive", "--dry-run")
    done = as_json("--reason-id", group["reason_id"], "--redrive", "--yes", "--rate", "0")

    assert len(plan["would_move"]) == 3
    assert (done["moved"], done["failed"]) == (3, 0)
    assert sorted(each["number"] for each in bodies(sqs, pair.url)) == [0, 1, 2]
    assert [each["number"] for each in bodies(sqs, pair.dead_letter_url)] == [9]
    marked = connection.execute(
        text("SELECT id FROM orca.orca_daemon_dead_letter WHERE redriven_at IS NOT NULL")
    ).scalars()
    assert sorted(marked) == sorted(sent)


def killed(sqs: "SQSClient", pair: QueuePair, *arguments: str, seen: int) -> None:
    """Run the command as a process, and kill it once so many messages were sent."""
    command = [sys.executable, "-c", SHORT_LEASE, "failures", *arguments]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: count(sqs, pair.url) >= seen)
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)


def forget_signs_of_life(connection: Connection) -> None:
    """As if fifteen seconds had passed."""
    connection.execute(text("UPDATE orca.orca_daemon_action SET seen_at = seen_at - interval '1 minute'"))


@pytest.mark.matrix
@pytest.mark.usefixtures("destinations")
def test_a_recovery_of_a_group_that_is_killed_goes_on_by_its_id_and_requests_no_batch_twice(
    connection: Connection, sqs: "SQSClient", s3: "S3Client", pair: QueuePair, bucket: Callable[[], str]
) -> None:
    name = bucket()
    put_archived(connection, s3, name, 40)
    [group] = as_json()["groups"]
    arguments = ("--reason-id", group["reason_id"], "--recover", "--yes", "--action-id", str(uuid4()))

    killed(sqs, pair, *arguments, "--rate", "10", seen=20)
    assert "is under way" in run(*arguments, code=1).stderr
    forget_signs_of_life(connection)
    # What was requested before the kill has been copied meanwhile; so the group is smaller.
    connection.execute(text("UPDATE orca.recovery_file SET status_id = 4 WHERE job_id = 'j0'"))
    done = as_json(*arguments, "--rate", "0")

    jobs = [each["jobId"] for each in bodies(sqs, pair.url)]
    assert {f"j{each}" for each in range(40)} == set(jobs)
    # SQS may have taken the ten of the last request before it was recorded, and no others.
    assert len(jobs) in {40, 50}
    assert done["posted"] == 40


@pytest.mark.matrix
def test_a_redrive_that_is_killed_goes_on_by_its_id_and_sends_none_twice(
    connection: Connection, sqs: "SQSClient", pair: QueuePair
) -> None:
    for number in range(12):
        send_letter(sqs, pair, number)
    [group] = as_json()["groups"]
    arguments = ("--reason-id", group["reason_id"], "--redrive", "--yes", "--action-id", str(uuid4()))

    killed(sqs, pair, *arguments, "--rate", "4", seen=3)
    forget_signs_of_life(connection)
    run(*arguments, "--rate", "0")

    assert bodies(sqs, pair.dead_letter_url) == []
    numbers = [each["number"] for each in bodies(sqs, pair.url)]
    assert sorted(set(numbers)) == list(range(12))
    # One may have been sent before its mark was written: SQS answers a send before the database knows of it.
    assert len(numbers) <= 13
    marked = "SELECT count(*) FROM orca.orca_daemon_dead_letter WHERE redriven_at IS NOT NULL"
    assert connection.scalar(text(marked)) == 12
    row = connection.execute(text("SELECT done, finished_at FROM orca.orca_daemon_action")).one()
    assert row.done == 12
    assert row.finished_at is not None
