"""`orca-daemon recover`, with a real database, real objects and a real queue."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from orca_daemon.aws.s3copy.requests import Requests, S3RequestError
from orca_daemon.cli import app
from orca_daemon.wire import copy
from orca_daemon.wire.status import RecoveryStatus
from tests.cli.conftest import insert_recovery

PENDING, STAGED, FAILED, SUCCESS = RecoveryStatus


@dataclass(frozen=True)
class Archive:
    """A bucket of objects, and the queue of copy requests."""

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
    connection: Connection,
    destinations: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Archive]:
    """Job j has five files: 0 can be read, 1 is archived, 2 is missing, 3 failed, 4 is copied."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", sqs_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    sqs = boto3.client("sqs", region_name="us-west-2")
    url = sqs.create_queue(QueueName=(name := bucket()))["QueueUrl"]
    monkeypatch.setenv("RECOVERY_QUEUE_URL", url)
    for number, storage in ((0, "STANDARD"), (1, "GLACIER"), (3, "STANDARD"), (4, "STANDARD")):
        s3.put_object(Bucket=name, Key=f"d/{number}.h5", Body=b"x", StorageClass=storage)
    insert_recovery(connection, "j", STAGED, PENDING, PENDING, FAILED, SUCCESS, archive=name)
    yield Archive(name, sqs, url)
    sqs.close()


def run(*arguments: str, stdin: str | None = None) -> Result:
    """Run the command; whoever types is at a terminal."""
    with patch("orca_daemon.cli.confirm.is_terminal", lambda: stdin is not None):
        return CliRunner().invoke(app, ["recover", *arguments], input=stdin)


def test_a_copy_is_requested_of_each_object_that_can_be_read(archive: Archive) -> None:
    result = run("j", "--yes")
    assert result.exit_code == 0, result.output
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
    assert "1 object: can be copied" in result.output
    assert "1 object: is archived; restore it first" in result.output
    assert "1 object: does not exist" in result.output
    assert "copy requests posted: 1" in result.output
    assert "to follow it: orca-daemon job j\n" in result.output


def test_copies_of_restored_objects_and_failed_files_are_requested_too(archive: Archive, s3: Any) -> None:
    s3.restore_object(Bucket=archive.bucket, Key="d/1.h5", RestoreRequest={"Days": 1})
    result = run("j", "--yes", "--failed", "--json")
    document = json.loads(result.stdout)
    assert [(file["filename"], file["finding"], bool(file["message_id"])) for file in document["files"]] == [
        ("0.h5", "ready", True),
        ("1.h5", "ready", True),
        ("2.h5", "missing", False),
        ("3.h5", "ready", True),
    ]
    assert document["posted"] == 3
    assert sorted(request.filename for request in archive.requests()) == ["0.h5", "1.h5", "3.h5"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [(("j", "--dry-run"), None, 0), (("j",), "n\n", 1), (("j", "--dry-run", "--json"), None, 0)],
)
def test_nothing_is_posted_in_a_dry_run_or_without_consent(
    archive: Archive, arguments: tuple[str, ...], stdin: str | None, code: int
) -> None:
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == code
    assert "0.h5" in result.output
    assert archive.requests() == []


def test_the_command_asks_before_it_posts(archive: Archive) -> None:
    result = run("j", stdin="y\n")
    assert "Post copy requests for 1 file to" in result.output
    assert len(archive.requests()) == 1


def test_a_copy_request_has_the_whole_id_of_a_job_that_was_named_by_its_beginning(
    archive: Archive, connection: Connection
) -> None:
    insert_recovery(connection, "8f3a61c2", STAGED, archive=archive.bucket)
    document = json.loads(run("8f3a", "--yes", "--json").stdout)
    assert (document["job_id"], document["posted"]) == ("8f3a61c2", 1)
    assert [request.job_id for request in archive.requests()] == ["8f3a61c2"]


def test_a_job_without_open_files_reports_how_many_failed(archive: Archive, connection: Connection) -> None:
    insert_recovery(connection, "done", SUCCESS)
    assert run("done").output == "nothing to recover: no open files\n"
    insert_recovery(connection, "failed", SUCCESS, FAILED)
    assert run("failed").output == (
        "nothing to recover: no open files\n1 failed file is left out; --failed includes it\n"
    )
    assert run("nothing").exit_code == 1
    assert run("j", "--granule", "other").exit_code == 1
    assert run("j", "--json").exit_code == 2


def test_only_files_of_one_name(archive: Archive) -> None:
    result = run("j", "--file", "3.h5", "--failed", "--yes", "--json")
    assert [each["filename"] for each in json.loads(result.stdout)["files"]] == ["3.h5"]
    assert [request.filename for request in archive.requests()] == ["3.h5"]
    assert run("j", "--file", "4.h5", "--dry-run").output == "nothing to recover: the file is copied\n"
    unknown = run("j", "--file", "no-such-file", "--dry-run")
    assert unknown.exit_code == 1
    assert "job j has no file no-such-file" in unknown.output


def test_failed_files_that_are_left_out_are_reported_whatever_else_is_done(
    archive: Archive, connection: Connection
) -> None:
    insert_recovery(connection, "more", STAGED, FAILED, FAILED, archive=archive.bucket)

    assert "\n2 failed files are left out; --failed includes them\n" in run("more", "--dry-run").output
    assert "\n1 failed file is left out; --failed includes it\n" in run("j", "--yes").output
    assert json.loads(run("more", "--dry-run", "--json").stdout)["left_out"] == 2
    assert "left out" not in run("more", "--failed", "--dry-run").output


def test_without_a_terminal_the_answer_must_be_a_flag(archive: Archive) -> None:
    result = run("j")

    assert result.exit_code == 2
    assert result.stderr.endswith("orca-daemon: stdin is not a terminal; pass --yes or --dry-run\n")
    assert archive.requests() == []


@pytest.mark.parametrize("arguments", [("j",), ("j", "--dry-run"), ("done",)], ids=" ".join)
def test_a_queue_that_the_settings_do_not_know_is_refused_before_anything_is_done(
    archive: Archive, connection: Connection, arguments: tuple[str, ...]
) -> None:
    insert_recovery(connection, "done", SUCCESS)

    result = run(*arguments, "--queue", "nope", "--yes")

    assert result.exit_code == 2
    assert result.stderr.startswith("orca-daemon: no queue 'nope' has a URL in the settings; those that do: ")
    assert (result.stdout, archive.requests()) == ("", [])


def test_no_copy_is_requested_that_the_daemon_would_reject(
    archive: Archive, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_recovery(connection, "odd", STAGED, archive=archive.bucket, destination="no bucket")
    (file,) = json.loads(run("odd", "--yes", "--json").stdout)["files"]
    assert (file["finding"], file["message_id"]) == ("refused", None)
    assert file["reason"] == "not a valid copy request: restore_destination is not the name of a bucket"
    monkeypatch.setenv("ORCA_COPIES__TARGETS", "other")
    result = run("j", "--yes")
    assert "nothing is copied to demo-protected: copies.targets does not name it" in " ".join(
        result.output.split()
    )
    assert archive.requests() == []


def test_no_copy_is_requested_to_a_bucket_that_does_not_exist(
    archive: Archive, connection: Connection, s3: Any
) -> None:
    error = "bucket no-such-bucket does not exist"
    s3.put_object(Bucket=archive.bucket, Key="d/2.h5", Body=b"x")
    statuses, to = (FAILED, SUCCESS, FAILED), "no-such-bucket"
    insert_recovery(connection, "nowhere", *statuses, archive=archive.bucket, destination=to, error=error)

    result = run("nowhere", "--failed", "--yes")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "open and failed files of job nowhere"
    assert result.stdout.count(f"its destination does not exist: {error}  before: {error}") == 2
    assert "2 objects: its destination does not exist\n" in result.stderr
    assert (
        f"2 objects have no destination: {error}. Create it, or restore to a bucket that exists:"
        " orca-daemon restore g --collection c --to BUCKET\n"
    ) in result.stderr
    assert archive.requests() == []
    (file, _) = json.loads(run("nowhere", "--failed", "--yes", "--json").stdout)["files"]
    assert [file[name] for name in ("finding", "reason", "error_message")] == ["no_destination", error, error]


def test_each_destination_is_asked_for_once_and_a_refusal_leaves_the_finding_open(
    archive: Archive, connection: Connection, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 5):
        s3.put_object(Bucket=archive.bucket, Key=f"d/{number}.h5", Body=b"x")
    insert_recovery(connection, "many", *[STAGED] * 5, archive=archive.bucket)
    asked: list[str] = []
    call = Requests.call

    async def refused(self: Requests, operation: str, copied: int = 0, /, **parameters: Any) -> Any:
        if operation != "head_bucket":
            return await call(self, operation, copied, **parameters)
        asked.append(parameters["Bucket"])
        response: Any = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise S3RequestError(operation, "", ClientError(response, "HeadBucket"))

    monkeypatch.setattr(Requests, "call", refused)
    result = run("many", "--dry-run")

    assert asked == ["demo-protected"]
    assert "5 objects: can be copied\n" in result.stderr
    assert "whether bucket demo-protected exists is not known: 403 on HeadBucket\n" in result.stderr


def test_if_nothing_can_be_copied_the_commands_that_help_are_named(
    archive: Archive, connection: Connection
) -> None:
    """Of job j, 1 is archived and 2 is missing."""
    one = run("j", "--file", "1.h5", "--yes")
    assert "orca-daemon restore g --collection c\n" in one.stderr
    two = run("j", "--file", "2.h5", "--yes")
    assert (
        "Record that the file failed; then the recovery ends: orca-daemon send file-status --job j"
        " --collection c --granule g --filename 2.h5 --status failed --error 'the object is gone'\n"
    ) in two.stderr
    insert_recovery(connection, "over", FAILED, archive="gone")
    over = run("over", "--failed", "--yes").stderr
    assert "its file has failed. What the catalog knows: orca-daemon catalog show s3://gone/d/0.h5\n" in over
