"""Deleting and exporting dead letters on real SQS, S3 and Postgres: nothing is lost or kept twice."""

import json
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from orca_daemon.aws import dead_letter_queue
from orca_daemon.aws.dead_letter import DeadLetter
from orca_daemon.aws.dead_letter_queue import DeadLetterFilter
from orca_daemon.aws.s3copy import S3Object
from orca_daemon.operations import dead_letter_export, dead_letters, export_objects
from orca_daemon.operations.dead_letter_export import Exported
from orca_daemon.operations.dead_letter_line import NotDeadLettersError
from orca_daemon.operations.dead_letter_list import find_record, list_queue, overview
from orca_daemon.operations.export_file import ExportFile
from orca_daemon.operations.export_objects import ExportObjects
from orca_daemon.operations.recorded import AlreadyDoneError, Request
from orca_daemon.settings import Settings
from tests.cli.conftest import connection
from tests.conftest import QueuePair
from tests.operations.conftest import MakeSettings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

__all__ = ["connection"]
ALL = DeadLetterFilter()


class KilledError(Exception):
    """Stands for a process that is killed at this point."""


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded SQS has one server, which a short poll asks."""
    monkeypatch.setattr(dead_letter_queue, "WAIT", 0)


@pytest.fixture
def standard(queues: Callable[..., QueuePair]) -> QueuePair:
    return queues()


@pytest.fixture
def fifo(queues: Callable[..., QueuePair]) -> QueuePair:
    return queues(fifo=True)


@pytest.fixture
def make(make_settings: MakeSettings, database_url: str) -> Callable[[QueuePair], Settings]:
    return lambda pair: make_settings(DATABASE_URL=database_url, RECOVERY_QUEUE_URL=pair.url)


def send(sqs: "SQSClient", pair: QueuePair, number: int, reason: str = "no such key") -> list[str]:
    ids: list[str] = []
    for index in range(number):
        attributes: Any = {
            "OrcaDaemonEvidence": {"DataType": "String", "StringValue": json.dumps({"reason": reason})},
            "Raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        }
        fifo: Any = {"MessageGroupId": "g", "MessageDeduplicationId": uuid4().hex}
        sent = sqs.send_message(
            QueueUrl=pair.dead_letter_url,
            MessageBody=f"{reason} {index}",
            MessageAttributes=attributes,
            **(fifo if pair.url.endswith(".fifo") else {}),
        )
        ids.append(sent["MessageId"])
    return ids


def left(sqs: "SQSClient", pair: QueuePair) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=pair.dead_letter_url, AttributeNames=names)["Attributes"]
    return sum(map(int, attributes.values()))


async def run_export(
    settings: Settings, target: Path | S3Object, *, delete: bool = True, action: UUID | None = None
) -> Exported:
    request = Request(action or uuid4(), "ada@tests")
    return await dead_letter_export.export(
        settings, "recovery", ALL, target, most=1_000, delete=delete, request=request
    )


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_dead_letters_that_match_are_deleted_marked_and_recorded_and_no_others(
    connection: Connection, sqs: "SQSClient", standard: QueuePair, make: Callable[[QueuePair], Settings]
) -> None:
    gone, kept = send(sqs, standard, 12), send(sqs, standard, 2, "another")
    request = Request(uuid4(), "ada@tests")
    wanted = DeadLetterFilter(reason="no such")

    result = await dead_letters.delete(make(standard), "recovery", wanted, most=100, request=request)
    with pytest.raises(AlreadyDoneError, match="12 done"):
        await dead_letters.delete(make(standard), "recovery", wanted, most=100, request=request)

    assert (result.moved, result.failed, result.passed_over) == (12, 0, 2)
    assert left(sqs, standard) == 2
    rows = connection.execute(text("SELECT id, deleted_at FROM orca.orca_daemon_dead_letter")).all()
    assert sorted(row.id for row in rows if row.deleted_at) == sorted(gone)
    assert not {row.id for row in rows} & set(kept)
    action = connection.execute(text("SELECT who, what, done, result FROM orca.orca_daemon_action")).one()
    assert (action.who, action.what, action.done) == ("ada@tests", "delete", 12)


async def test_an_export_of_a_fifo_queue_that_deletes_has_every_dead_letter_in_order(
    sqs: "SQSClient",
    fifo: QueuePair,
    make: Callable[[QueuePair], Settings],
    connection: Connection,
    tmp_path: Path,
) -> None:
    send(sqs, fifo, 25)
    path = tmp_path / "dead.jsonl"

    copied = await run_export(make(fifo), tmp_path / "copy.jsonl", delete=False)
    moved = await run_export(make(fifo), path)

    assert (copied.exported, copied.deleted, copied.more) == (10, 0, 15)
    assert (moved.exported, moved.deleted, moved.failed, moved.more) == (25, 25, 0, 0)
    assert left(sqs, fifo) == 0
    lines = read(path)
    assert [line["body"] for line in lines] == [f"no such key {index}" for index in range(25)]
    assert lines[0]["attributes"]["Raw"] == {"DataType": "Binary", "BinaryValue": "AP8="}
    assert (lines[0]["group"], lines[0]["reason"]) == ("g", "no such key")
    assert path.stat().st_mode & 0o777 == 0o600
    marked = "SELECT count(*) FROM orca.orca_daemon_dead_letter WHERE deleted_at IS NOT NULL"
    assert connection.scalar(text(marked)) == 25


async def test_an_export_that_is_killed_between_file_and_delete_loses_nothing_and_keeps_none_twice(
    sqs: "SQSClient",
    standard: QueuePair,
    make: Callable[[QueuePair], Settings],
    connection: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send(sqs, standard, 15)
    path, action = tmp_path / "dead.jsonl", uuid4()
    keep = ExportFile.keep

    async def killed(self: ExportFile, letters: Sequence[DeadLetter]) -> None:
        await keep(self, letters)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(ExportFile, "keep", killed)
        with pytest.raises(KilledError):
            await run_export(make(standard), path, action=action)
    assert left(sqs, standard) == 15
    with path.open("ab") as file:
        file.write(b'{"queue": "recovery", "id": "torn')
    connection.execute(text("UPDATE orca.orca_daemon_action SET seen_at = seen_at - interval '1 minute'"))

    done = await run_export(make(standard), path, action=action)

    assert (done.exported, done.deleted) == (15, 15)
    assert left(sqs, standard) == 0
    assert sorted(line["body"] for line in read(path)) == sorted(
        f"no such key {index}" for index in range(15)
    )


async def test_a_dead_letter_that_cannot_be_kept_is_not_deleted(
    sqs: "SQSClient",
    standard: QueuePair,
    make: Callable[[QueuePair], Settings],
    connection: Connection,
    tmp_path: Path,
) -> None:
    send(sqs, standard, 3)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            await run_export(make(standard), tmp_path / "dead.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert left(sqs, standard) == 3
    marked = "SELECT count(*) FROM orca.orca_daemon_dead_letter WHERE deleted_at IS NOT NULL"
    assert connection.scalar(text(marked)) == 0


@pytest.mark.parametrize(
    "content",
    ["notes\n", "notes", '{"queue": "other", "id": "1"}\n', "[]\n"],
    ids=["lines", "text", "queue", "list"],
)
def test_a_file_that_holds_something_else_is_not_touched(content: str, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text(content)
    with pytest.raises(NotDeadLettersError, match="holds something else than dead letters of recovery"):
        ExportFile(path, "recovery")
    assert path.read_text() == content


def test_two_exports_do_not_write_to_one_file(tmp_path: Path) -> None:
    first = ExportFile(tmp_path / "dead.jsonl", "recovery")
    with pytest.raises(BlockingIOError):
        ExportFile(tmp_path / "dead.jsonl", "recovery")
    first.close()
    (tmp_path / "link").symlink_to(tmp_path / "dead.jsonl")
    with pytest.raises(OSError, match="symbolic links"):
        ExportFile(tmp_path / "link", "recovery")


async def test_an_export_to_s3_is_read_back_before_anything_is_deleted(
    sqs: "SQSClient",
    s3: "S3Client",
    fifo: QueuePair,
    make: Callable[[QueuePair], Settings],
    connection: Connection,
    bucket: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, action = bucket(), uuid4()
    send(sqs, fifo, 12)
    target = S3Object(name, "dead")
    write = ExportObjects._write

    async def killed(self: ExportObjects, body: bytes) -> None:
        await write(self, body)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(ExportObjects, "_write", killed)
        with pytest.raises(KilledError):
            await run_export(make(fifo), target, action=action)
    assert left(sqs, fifo) == 12
    connection.execute(text("UPDATE orca.orca_daemon_action SET seen_at = seen_at - interval '1 minute'"))
    done = await run_export(make(fifo), target, action=action)

    keys = [f"dead/recovery-{action}-{number:06}.jsonl" for number in (1, 2)]
    assert done.files == [f"s3://{name}/{key}" for key in keys]
    assert (done.exported, done.deleted, left(sqs, fifo)) == (12, 12, 0)
    bodies = [
        json.loads(line)["body"]
        for key in keys
        for line in s3.get_object(Bucket=name, Key=key)["Body"].read().splitlines()
    ]
    assert bodies == [f"no such key {index}" for index in range(12)]


@pytest.mark.matrix
async def test_an_object_that_s3_returns_otherwise_deletes_nothing(
    sqs: "SQSClient",
    standard: QueuePair,
    make: Callable[[QueuePair], Settings],
    bucket: Callable[[], str],
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send(sqs, standard, 2)

    async def other(*_: object) -> bytes:
        return b"another object"

    monkeypatch.setattr(ExportObjects, "_get", other)
    with pytest.raises(export_objects.NotVerifiedError, match="is not what was written"):
        await run_export(make(standard), S3Object(bucket(), "dead"))
    assert left(sqs, standard) == 2


async def test_of_a_fifo_queue_the_database_adds_what_sqs_does_not_show(
    sqs: "SQSClient", fifo: QueuePair, make: Callable[[QueuePair], Settings], connection: Connection
) -> None:
    ids = send(sqs, fifo, 13)
    for id_ in ids:
        connection.execute(
            text(
                "INSERT INTO orca.orca_daemon_dead_letter (id, original_id, queue, reason, facts,"
                " dead_lettered_at) VALUES (:id, 'm', 'recovery', 'no such key', '{}', now())"
            ),
            {"id": id_},
        )

    listed = await list_queue(make(fifo), "recovery", ALL, 100)
    everything = await overview(make(fifo), ALL, 100)
    last = await find_record(make(fifo), "recovery", DeadLetterFilter(ids=frozenset({ids[-1]})))

    assert [letter.id for letter in listed.peeked.letters] == ids[:10]
    assert sorted(record.id for record in listed.recorded) == sorted(ids[10:])
    assert sorted(record.id for record in everything.records) == sorted(ids)
    [count] = everything.queues
    assert (count.queue, count.approximate_count, count.recorded, count.more) == ("recovery", 13, 13, 0)
    assert last is not None
    assert last.id == ids[-1]
