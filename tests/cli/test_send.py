"""`orca-daemon send`: from flags, files and standard input to a real queue."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orca_daemon.cli import app
from orca_daemon.wire import catalog, copy, inventory, status
from tests.producer.conftest import Queue, environment, fifo, standard
from tests.queues.catalog.messages import body
from tests.queues.catalog.messages import file as archived

__all__ = ["environment", "fifo", "standard"]
UPDATE = {"jobId": "j", "collectionId": "c", "granuleId": "g", "filename": "f", "statusId": 2}


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["send", *arguments], input=stdin)


def json_lines(folder: Path, documents: Sequence[object]) -> str:
    """The path of a file with a line for each document, and blank lines between them."""
    file = folder / "messages.jsonl"
    file.write_text("\n\n".join(json.dumps(document) for document in documents), "utf-8")
    return str(file)


def attributes(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


def test_a_new_job_from_flags(fifo: Queue) -> None:
    result = run(
        *("new-job", "--job", "j", "--collection", "c", "--granule", "g", "--archive", "a"),
        *("--destination", "d", "--key", "p/q.h5", "--key", "p/r.h5", "--chunk-mb", "9", "--queue", fifo.url),
    )
    assert result.exit_code == 0, result.output
    (message,) = fifo.take()
    job = status.decode(message["Body"], attributes(message))
    assert isinstance(job, status.NewJob)
    assert [(file.filename, file.s3_multipart_chunksize_mb) for file in job.files] == [
        ("q.h5", 9),
        ("r.h5", 9),
    ]
    order = ["jobId", "collectionId", "granuleId", "requestTime", "archiveDestination", "files"]
    assert list(json.loads(message["Body"])) == order


def test_a_failure_from_flags(fifo: Queue) -> None:
    result = run(
        *("file-status", "--job", "j", "--granule", "g", "--filename", "f", "--status", "failed"),
        *("--error", "gone", "--queue", fifo.url, "--grouping", "granule"),
    )
    assert result.exit_code == 0, result.output
    (message,) = fifo.take()
    update = status.decode(message["Body"], attributes(message))
    assert isinstance(update, status.UpdateFile)
    assert update.error_message == "gone"
    assert update.completion_time == update.last_update
    assert message["Attributes"]["MessageGroupId"] == status.granule_group("j", None, "g")


def test_a_copy_request_from_flags(standard: Queue) -> None:
    result = run(
        *("copy", "--job", "j", "--granule", "g", "--source", "s3://a/p/q r.h5", "--destination", "d"),
        *("--queue", standard.url, "--json"),
    )
    (message,) = standard.take()
    request = copy.decode(message["Body"])
    assert (request.source_bucket, request.source_key, request.target_key) == ("a", "p/q r.h5", "p/q r.h5")
    assert request.filename == "q r.h5"
    document = json.loads(result.stdout)
    assert (document["queue"], document["sent"], document["failed"]) == (standard.url, 1, 0)
    assert document["messages"] == [{"index": 0, "message_id": message["MessageId"], "error": None}]


def test_a_catalog_record_from_flags(fifo: Queue) -> None:
    result = run(
        *("catalog", "--provider", "p", "--collection", "C___001", "--granule", "g", "--execution", "e"),
        *("--object", "s3://a/d/g.h5", "--cumulus-bucket", "protected", "--size", "6", "--etag", '"9b"'),
        *("--version", "v1", "--storage-class", "GLACIER", "--queue", fifo.url),
    )
    assert result.exit_code == 0, result.output
    (message,) = fifo.take()
    record = catalog.decode(message["Body"])
    assert (record.collection.shortname, record.collection.version) == ("C", "001")
    (file,) = record.granule.files
    assert (file.name, file.orca_archive_location, file.key_path, file.hash) == ("g.h5", "a", "d/g.h5", None)
    assert file.ingest_time == record.granule.ingest_time == record.granule.last_update
    assert "MessageAttributes" not in message


def test_complete_catalog_records_from_a_file_are_sent_to_the_byte(fifo: Queue, tmp_path: Path) -> None:
    documents = [body(archived("a"), archived("b")), body(granule_id="g2")]
    result = run("catalog", "--file", json_lines(tmp_path, documents), "--queue", fifo.url)
    assert result.exit_code == 0, result.output
    assert sorted(message["Body"] for message in fifo.take()) == sorted(map(json.dumps, documents))


def test_a_catalog_record_that_would_be_rejected_is_not_sent(fifo: Queue) -> None:
    result = run("catalog", "--granule", "g", "--object", "s3://a/k", "--queue", fifo.url)
    assert result.exit_code == 2
    assert "nothing sent: not a valid catalog record: provider is missing" in result.stderr
    assert fifo.take() == []


def test_an_inventory_and_an_export_from_arguments(fifo: Queue) -> None:
    assert run("inventory", "s3://r/x/manifest.json", "--region", "r1", "--queue", fifo.url).exit_code == 0
    assert run("export", "recovery_job", "files", "--queue", fifo.url).exit_code == 0
    assert [inventory.decode(message["Body"]) for message in fifo.take()] == [
        inventory.InventoryPointer(
            report_bucket_region="r1", report_bucket_name="r", manifest_key="x/manifest.json"
        ),
        inventory.ExportRequest(tables_to_query=("recovery_job", "files")),
    ]


def test_messages_from_a_file_keep_their_order(fifo: Queue, tmp_path: Path) -> None:
    file = json_lines(tmp_path, [{**UPDATE, "filename": str(number)} for number in range(35)])
    result = run("file-status", "--file", file, "--queue", fifo.url)
    assert "sent 35 of 35" in result.output
    assert [json.loads(message["Body"])["filename"] for message in fifo.take(35)] == [
        str(n) for n in range(35)
    ]


def test_a_pipe_that_can_be_read_only_once_is_sent(fifo: Queue) -> None:
    reader, writer = os.pipe()
    os.write(writer, json.dumps(UPDATE).encode())
    os.close(writer)
    result = run("file-status", "--file", f"/dev/fd/{reader}", "--queue", fifo.url)
    os.close(reader)
    assert result.exit_code == 0, result.output
    assert [json.loads(message["Body"])["filename"] for message in fifo.take()] == ["f"]


def test_a_complete_message_is_sent_unchanged(fifo: Queue) -> None:
    body = json.dumps({"extra": 1, **UPDATE, "lastUpdate": "2026-11-21T00:13:35+00:00"})
    assert run("file-status", "--file", "-", "--queue", fifo.url, stdin=body).exit_code == 0
    assert [message["Body"] for message in fifo.take()] == [body]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({**UPDATE, "statusId": 9}, "line 3: not a valid update_file: statusId is not one of 1, 2, 3, 4"),
        ({**UPDATE, "statusId": 3}, "line 3: not a valid update_file: errorMessage is missing"),
        ({**UPDATE, "jobId": 1}, "line 3: not a valid update_file: jobId is not a string"),
        ([], "line 3: the body is JSON, but not an object"),
    ],
)
def test_nothing_is_sent_if_one_line_is_wrong(
    fifo: Queue, tmp_path: Path, document: object, problem: str
) -> None:
    result = run("file-status", "--file", json_lines(tmp_path, [UPDATE, document]), "--queue", fifo.url)
    assert result.exit_code == 2
    assert f"nothing sent: {problem}" in result.output
    assert fifo.take() == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--job", "j\udcff"), "jobId holds half of a surrogate pair"),
        (
            ("--job", "j" * 9000),
            "jobId is too long: with collectionId, granuleId, filename it has 9,005 bytes",
        ),
        (("--job", "j", "--target-key", "k" * 1025), "targetKey has 1,025 bytes; S3 takes 1,024"),
        (("--job", "j", "--destination", "no bucket"), "restoreDestination is not the name of a bucket"),
    ],
    ids=["no UTF-8", "long", "key", "bucket"],
)
def test_a_message_that_the_daemon_would_reject_is_not_sent(
    standard: Queue, arguments: Sequence[str], problem: str
) -> None:
    flags = ("--granule", "g", "--source", "s3://a/p/q.h5", "--destination", "d", "--queue", standard.url)
    result = run("copy", *flags, *arguments)
    assert result.exit_code == 2
    assert f"nothing sent: not a valid copy request: {problem}" in result.output
    assert standard.take() == []


def test_a_copy_that_settings_forbid_is_not_requested(
    standard: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCA_COPIES__TARGETS", "public")
    flags = ("--job", "j", "--granule", "g", "--source", "s3://a/k", "--queue", standard.url)
    result = run("copy", *flags, "--destination", "d")
    assert result.exit_code == 2
    assert "nothing sent: the daemon would reject it: nothing is copied to d: copies.targets" in result.output
    assert run("copy", *flags, "--destination", "public").exit_code == 0
    assert len(standard.take()) == 1


def test_nothing_is_sent_if_one_message_is_too_large(fifo: Queue, tmp_path: Path) -> None:
    long = {**UPDATE, "statusId": 3, "errorMessage": "\U0001f680" * 22_000}
    result = run("file-status", "--file", json_lines(tmp_path, [UPDATE, long]), "--queue", fifo.url)
    assert result.exit_code == 2
    assert "nothing sent: message 2 has 264,2" in result.output
    assert fifo.take() == []


def test_a_file_that_is_not_utf_8_is_reported(fifo: Queue, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(json.dumps(UPDATE).encode() + b"\n{\xe9}")
    result = run("file-status", "--file", str(tmp_path / "latin"), "--queue", fifo.url)
    assert (result.exit_code, fifo.take()) == (2, [])
    assert "nothing sent: the input is not text in UTF-8" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("copy", "--source", "d/g.h5"),
        ("copy", "--job", "j"),
        ("new-job",),
        ("export",),
        ("inventory", "s3://bucket/other.json", "--region", "r"),
        ("file-status", "--file", "absent.jsonl"),
        ("file-status", "--file", "x", "--job", "j"),
        ("export", "t", "--queue", "unknown"),
    ],
)
def test_wrong_usage_exits_2(arguments: Sequence[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_missing_region_names_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    result = run("export", "files", "--queue", "http://127.0.0.1:9/0/q")
    assert (result.exit_code, "set AWS_REGION, or aws.region (ORCA_AWS__REGION)" in result.output) == (
        78,
        True,
    )


def test_a_dry_run_prints_the_messages_and_sends_nothing(fifo: Queue) -> None:
    result = run("export", "files", "--dry-run", "--queue", fifo.url)
    assert result.stdout == '{"tables_to_query": ["files"]}\n'
    assert fifo.take() == []


def test_a_missing_queue_exits_1(environment: None, fifo: Queue) -> None:
    result = run("export", "files", "--queue", fifo.url + "x", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert (document["sent"], document["failed"]) == (0, 1)
    error = document["messages"][0]["error"]
    assert "QueueDoesNotExist" in error or "not exist" in error


def test_a_queue_can_be_named_as_in_the_settings(fifo: Queue, tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(f'[queues.status_update]\nurl = "{fifo.url}"\ngrouping = "granule"\n', "utf-8")
    result = run("file-status", "--config", str(config), "--file", json_lines(tmp_path, [UPDATE]))
    assert result.exit_code == 0, result.output
    (message,) = fifo.take()
    assert message["Attributes"]["MessageGroupId"] == status.granule_group("j", "c", "g")


def test_a_dry_run_refuses_a_queue_that_nobody_knows() -> None:
    result = run("export", "files", "--queue", "nope", "--dry-run")

    assert result.exit_code == 2
    assert result.stderr.startswith("orca-daemon: no queue 'nope' has a URL in the settings; those that do: ")


def test_a_restore_from_flags(standard: Queue) -> None:
    result = run(
        *("restore", "--job", "j", "--collection", "c", "--granule", "g", "--archive", "archive"),
        *("--destination", "protected", "--key", "p/q.h5", "--tier", "bulk", "--days", "9"),
        *("--queue", standard.url),
    )
    assert result.exit_code == 0, result.output
    (message,) = standard.take()
    assert json.loads(message["Body"]) == {
        "input": {
            "granules": [
                {
                    "collectionId": "c",
                    "granuleId": "g",
                    "keys": [{"key": "p/q.h5", "destBucket": "protected"}],
                }
            ]
        },
        "config": {
            "asyncOperationId": "j",
            "defaultBucketOverride": "archive",
            "defaultRecoveryTypeOverride": "Bulk",
            "expireDays": 9,
        },
    }


@pytest.mark.parametrize("kind", ["fifo", "standard"])
def test_restores_from_a_file_are_sent_as_they_are(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    queue: Queue = request.getfixturevalue(kind)
    granule = {"collectionId": "c", "granuleId": "g", "keys": [{"key": "k", "destBucket": "b"}]}
    bodies = [
        {"granules": [granule], "config": {"defaultBucketOverride": "a"}, "more": 1},
        {"input": {"granules": [granule]}, "config": {"defaultBucketOverride": "a"}},
    ]
    result = run("restore", "--file", json_lines(tmp_path, bodies), "--queue", queue.url)
    assert result.exit_code == 0, result.output
    assert sorted(json.dumps(json.loads(message["Body"])) for message in queue.take()) == sorted(
        json.dumps(body) for body in bodies
    )


def test_a_restore_that_a_setting_forbids_is_not_sent(
    standard: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCA_RESTORE__TIERS", "Bulk")
    monkeypatch.setenv("ORCA_RESTORE__TIER", "Bulk")
    flags = ("--collection", "c", "--granule", "g", "--archive", "a", "--destination", "b", "--key", "k")
    result = run("restore", *flags, "--tier", "Standard", "--queue", standard.url)
    assert result.exit_code == 2
    assert "the daemon would reject it" in result.output
    assert "restore.tiers" in result.output
    assert standard.take() == []


def test_any_body_goes_to_any_queue(standard: Queue) -> None:
    result = run(standard.url, "--body", "no JSON, {", "--attribute", "kind=a=b")
    (message,) = standard.take()
    assert (message["Body"], attributes(message)) == ("no JSON, {", {"kind": "a=b"})
    name = standard.url.rpartition("/")[2]
    assert (result.exit_code, result.stdout) == (0, f"sent to {name}: message {message['MessageId']}\n")


def test_the_same_body_sent_twice_to_a_fifo_queue_is_two_messages(
    fifo: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By its name in the settings, although `catalog` is a command too.
    monkeypatch.setenv("ORCA_QUEUES__CATALOG__URL", fifo.url)
    for _ in range(2):
        assert run("catalog", "--body=-", "--group", "g", stdin="{}").exit_code == 0
    messages = fifo.take()
    assert [(each["Body"], each["Attributes"]["MessageGroupId"]) for each in messages] == [("{}", "g")] * 2


def test_the_deduplication_id_can_be_given(fifo: Queue) -> None:
    for text in ("first", "second"):
        assert run(fifo.url, "--body", text, "--group", "g", "--dedup", "one").exit_code == 0
    assert [each["Body"] for each in fifo.take()] == ["first"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("http://127.0.0.1/1/q.fifo", "--body", "b"), "--group"),
        (("http://127.0.0.1/1/q", "--body", "b", "--group", "g"), "standard queue"),
        (("http://127.0.0.1/1/q", "--body", "b", "--attribute", "kind"), "NAME=VALUE"),
        (("nope", "--body", "b"), "no queue 'nope'"),
        (("nope",), "No such command"),
    ],
    ids=["no group", "a group", "no value", "unknown queue", "no body"],
)
def test_a_body_without_what_its_queue_needs_is_not_sent(arguments: tuple[str, ...], hint: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, hint in result.output) == (2, True), result.output
