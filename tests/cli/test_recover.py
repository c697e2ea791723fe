"""`orca-daemon recover`: real objects, real rows, a real queue."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from orca_daemon.aws.s3copy import ObjectHead
from orca_daemon.cli import app
from orca_daemon.cli.open_files import FileState, file_state
from orca_daemon.wire import copy
from orca_daemon.wire.status import RecoveryStatus
from tests.cli.conftest import recovery

PENDING, STAGED, FAILED, SUCCESS = RecoveryStatus


@dataclass(frozen=True)
class Archive:
    """A bucket of objects, and the queue that copy requests go to."""

    bucket: str
    sqs: Any
    queue: str

    def requests(self) -> list[copy.CopyRequest]:
        answer = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [copy.decode(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture
def archive(
    aws_endpoint: str,
    sqs_endpoint: str,
    s3: Any,
    bucket: Callable[[], str],
    tables: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Archive]:
    """Files 0 to 4 of job j: one that can be read, one archived, one gone, one that failed, one copied."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", sqs_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    sqs = boto3.client("sqs", region_name="us-west-2")
    url = sqs.create_queue(QueueName=(name := bucket()))["QueueUrl"]
    monkeypatch.setenv("RECOVERY_QUEUE_URL", url)
    for number, storage in ((0, "STANDARD"), (1, "GLACIER"), (3, "STANDARD"), (4, "STANDARD")):
        s3.put_object(Bucket=name, Key=f"d/{number}.h5", Body=b"x", StorageClass=storage)
    recovery(tables, "j", STAGED, PENDING, PENDING, FAILED, SUCCESS, archive=name)
    yield Archive(name, sqs, url)
    sqs.close()


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["recover", *arguments], input=stdin)


def test_only_what_can_be_read_is_asked_for(archive: Archive) -> None:
    ran = run("j", "--yes")
    assert ran.exit_code == 0, ran.output
    (request,) = archive.requests()
    assert request == copy.CopyRequest(
        job_id="j",
        collection_id="c",
        granule_id="g",
        filename="0.h5",
        restore_destination="demo-protected",
        s3_multipart_chunksize_mb=None,
        source_key="d/0.h5",
        target_key="d/0.h5",
        source_bucket=archive.bucket,
    )
    assert "1 object: can be copied" in ran.output
    assert "1 object: is archived; ask for its restore first" in ran.output
    assert "1 object: does not exist" in ran.output
    assert "copy requests posted: 1" in ran.output


def test_a_restored_object_and_failed_files_are_asked_for_too(archive: Archive, s3: Any) -> None:
    s3.restore_object(Bucket=archive.bucket, Key="d/1.h5", RestoreRequest={"Days": 1})
    ran = run("j", "--yes", "--failed", "--json")
    reported = json.loads(ran.stdout)
    assert [(file["filename"], file["finding"], bool(file["message_id"])) for file in reported["files"]] == [
        ("0.h5", "ready", True),
        ("1.h5", "ready", True),
        ("2.h5", "missing", False),
        ("3.h5", "ready", True),
    ]
    assert reported["posted"] == 3
    assert sorted(request.filename for request in archive.requests()) == ["0.h5", "1.h5", "3.h5"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [(("j", "--dry-run"), None, 0), (("j",), "n\n", 1), (("j", "--dry-run", "--json"), None, 0)],
)
def test_nothing_is_posted_unless_it_is_wanted(
    archive: Archive, arguments: tuple[str, ...], stdin: str | None, code: int
) -> None:
    ran = run(*arguments, stdin=stdin)
    assert ran.exit_code == code
    assert "0.h5" in ran.output
    assert archive.requests() == []


def test_it_asks_before_it_posts(archive: Archive) -> None:
    ran = run("j", stdin="y\n")
    assert "Post the copy requests of 1 files to" in ran.output
    assert len(archive.requests()) == 1


def test_a_job_without_files_left_behind_says_so(archive: Archive, tables: Connection) -> None:
    recovery(tables, "done", SUCCESS)
    assert "no file is left behind" in run("done").output
    assert run("nothing").exit_code == 1
    assert run("j", "--granule", "other").exit_code == 1
    assert run("j", "--json").exit_code == 2


def test_what_the_daemon_would_reject_is_not_asked_for(
    archive: Archive, tables: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovery(tables, "odd", STAGED, archive=archive.bucket, destination="no bucket")
    (reported,) = json.loads(run("odd", "--yes", "--json").stdout)["files"]
    assert (reported["finding"], reported["message_id"]) == ("refused", None)
    assert reported["reason"] == "not a valid copy request: restore_destination is not the name of a bucket"
    monkeypatch.setenv("ORCA_COPIES__TARGETS", "other")
    ran = run("j", "--yes")
    assert "nothing is copied to demo-protected: copies.targets does not name it" in " ".join(
        ran.output.split()
    )
    assert archive.requests() == []


@pytest.mark.parametrize(
    ("storage", "restore", "expected"),
    [
        ("STANDARD", "", FileState.READY),
        ("GLACIER_IR", "", FileState.READY),
        ("GLACIER", "", FileState.ARCHIVED),
        ("DEEP_ARCHIVE", 'ongoing-request="true"', FileState.RESTORING),
        (
            "DEEP_ARCHIVE",
            'ongoing-request="false", expiry-date="Fri, 21 Dec 2028 00:00:00 GMT"',
            FileState.READY,
        ),
    ],
)
def test_the_answer_to_head_says_what_can_be_done(storage: str, restore: str, expected: FileState) -> None:
    assert file_state(ObjectHead(size=1, etag='"x"', storage_class=storage, restore=restore)) is expected
