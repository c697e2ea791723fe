"""One message at a time: the bytes that are sent, and the checks of the response."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from enum import Enum, IntEnum
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from orca_daemon import producer
from orca_daemon.producer import Grouping, OrcaStatus, RequestMethod, SendError
from orca_daemon.producer.queue import check_status, send, sqs
from orca_daemon.producer.reconciliation import OrcaStatus as ReconcileStatus
from orca_daemon.wire import status
from orca_daemon.wire.outgoing import Outgoing
from tests.producer.conftest import Answer, Queue

UNREACHABLE = "https://nowhere.invalid/q"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00"
FILE = {
    "success": False,
    "filename": "g.h5",
    "keyPath": "d/g.h5",
    "restoreDestination": "demo-protected",
    "s3MultipartChunksizeMb": None,
    "statusId": 1,
    "requestTime": "2026-11-21T00:13:35.439458+00:00",
    "lastUpdate": "2026-11-21T00:13:35.439458+00:00",
}

UPDATE = {
    "jobId": "j",
    "granuleId": "g",
    "filename": "f",
    "lastUpdate": "2026-11-21T00:13:35.439458+00:00",
    "statusId": 2,
}
EVENT = {"Records": [{"s3": {"bucket": {"name": "demo-orca-archive"}, "object": {"key": "d/g.h5"}}}]}


def attributes(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


def test_a_new_job_is_sent_with_the_bytes_of_orca(fifo: Queue) -> None:
    producer.create_status_for_job(
        "op-1", "g-1", "demo-orca-archive", [FILE], fifo.url, collection_id="C___001"
    )
    (message,) = fifo.take()
    assert re.fullmatch(
        r'{"jobId": "op-1", "collectionId": "C___001", "granuleId": "g-1", '
        rf'"requestTime": "{TIME}", "archiveDestination": "demo-orca-archive", '
        rf'"files": \[{re.escape(json.dumps(FILE))}\]}}',
        message["Body"],
    )
    digest = hashlib.sha256(message["Body"].encode()).hexdigest()
    assert message["Attributes"]["MessageGroupId"] == "request_files"
    assert message["Attributes"]["MessageDeduplicationId"] == "new_job" + digest
    assert message["MessageAttributes"] == {"RequestMethod": {"StringValue": "new_job", "DataType": "String"}}
    assert isinstance(status.decode(message["Body"], attributes(message)), status.NewJob)


@pytest.mark.parametrize(
    ("orca_status", "error", "rest"),
    [
        (OrcaStatus.STAGED, None, '"statusId": 2'),
        (OrcaStatus.SUCCESS, "ignored", f'"statusId": 4, "completionTime": "{TIME}"'),
        (OrcaStatus.FAILED, "gone", f'"statusId": 3, "completionTime": "{TIME}", "errorMessage": "gone"'),
    ],
)
def test_an_update_is_sent_with_the_bytes_of_orca(
    fifo: Queue, orca_status: OrcaStatus, error: str | None, rest: str
) -> None:
    producer.update_status_for_file(
        "op-1", "g-1", "g.h5", orca_status, error, fifo.url, collection_id="C___001"
    )
    (message,) = fifo.take()
    assert re.fullmatch(
        r'{"jobId": "op-1", "collectionId": "C___001", "granuleId": "g-1", "filename": "g.h5", '
        rf'"lastUpdate": "{TIME}", {rest}}}',
        message["Body"],
    )
    assert isinstance(status.decode(message["Body"], attributes(message)), status.UpdateFile)


def test_without_collection_the_message_is_that_of_the_older_library(fifo: Queue) -> None:
    producer.update_status_for_file(
        job_id="op-1",
        granule_id="g-1",
        filename="g.h5",
        orca_status=OrcaStatus.STAGED,
        error_message=None,
        db_queue_url=fifo.url,
    )
    producer.create_status_for_job(
        job_id="op-1", granule_id="g-1", archive_destination="a", files=[], db_queue_url=fifo.url
    )
    assert ["collectionId" in message["Body"] for message in fifo.take()] == [False, False]


@pytest.mark.parametrize("error", [None, ""])
def test_a_failure_needs_its_error(error: str | None) -> None:
    with pytest.raises(ValueError, match="error message is required"):
        producer.update_status_for_file("j", "g", "f", OrcaStatus.FAILED, error, "https://nowhere.invalid")


def test_a_status_may_be_its_number(fifo: Queue) -> None:
    number: Any = OrcaStatus.FAILED.value
    producer.update_status_for_file("j", "g", "f", number, "gone", fifo.url)
    assert [json.loads(message["Body"])["errorMessage"] for message in fifo.take()] == ["gone"]


def test_an_object_is_posted_unchanged(fifo: Queue, standard: Queue) -> None:
    update = UPDATE | {"jobId": "é", "undeclared": [1]}
    producer.post_entry_to_fifo_queue(update, RequestMethod.UPDATE_FILE, fifo.url)
    producer.post_entry_to_standard_queue(EVENT, standard.url)
    assert fifo.take()[0]["Body"] == json.dumps(update)
    assert standard.take()[0]["Body"] == json.dumps(EVENT)


class TheirStatus(Enum):
    """As `orca_shared` declares it."""

    PENDING = 1
    STAGED = 2
    FAILED = 3
    SUCCESS = 4


class TheirNumber(IntEnum):
    """As another program may declare it."""

    FAILED = 3


class TheirMethod(Enum):
    """As `orca_shared` declares it."""

    NEW_JOB = "new_job"
    UPDATE_FILE = "update_file"


@pytest.mark.parametrize("given", [TheirStatus.FAILED, TheirNumber.FAILED, 3, 3.0])
def test_a_status_of_another_library_is_taken_by_its_value(fifo: Queue, given: Any) -> None:
    producer.update_status_for_file("j", "g", "f", given, "gone", fifo.url)
    (message,) = fifo.take()
    sent = json.loads(message["Body"])
    assert (sent["statusId"], sent["errorMessage"]) == (3, "gone")
    assert sent["completionTime"]


@pytest.mark.parametrize("method", [TheirMethod.UPDATE_FILE, RequestMethod.UPDATE_FILE, "update_file"])
def test_a_method_of_another_library_is_taken_by_its_value(fifo: Queue, method: Any) -> None:
    producer.post_entry_to_fifo_queue(UPDATE, method, fifo.url)
    assert attributes(fifo.take()[0]) == {"RequestMethod": "update_file"}


def test_files_may_hold_enum_members_and_datetimes(fifo: Queue) -> None:
    time = datetime(2026, 11, 21, 1, 13, 35, tzinfo=timezone(timedelta(hours=1)))
    file = FILE | {"statusId": TheirStatus.PENDING, "requestTime": time, "lastUpdate": time}
    producer.create_status_for_job("j", "g", "a", [file], fifo.url)
    (message,) = fifo.take()
    (sent,) = json.loads(message["Body"])["files"]
    assert sent == FILE | {
        "statusId": 1,
        "requestTime": "2026-11-21T00:13:35+00:00",
        "lastUpdate": "2026-11-21T00:13:35+00:00",
    }


INVALID: dict[str, tuple[Callable[[], object], str]] = {
    "NUL": (lambda: update(granule_id="g\0"), "granule_id holds a NUL character"),
    "half a pair": (lambda: update(job_id="\ud800"), "job_id holds half of a surrogate pair"),
    "no text": (lambda: update(filename=7), "filename is not a string"),
    "long ids": (lambda: update(job_id="j" * 9000), "jobId is too long: with collectionId, granuleId, f"),
    "no status": (lambda: update(orca_status=9), "status is not one of 1, 2, 3, 4"),
    "a flag": (lambda: update(orca_status=True), "status is not an integer"),
    "NUL in an error": (lambda: update(orca_status=3, error_message="\0"), "error_message holds a NUL"),
    "a file's status": (lambda: new_job(FILE | {"statusId": 2}), "files[0].statusId is neither 1 nor 3"),
    "a file's time": (lambda: new_job(FILE | {"lastUpdate": "now"}), "files[0].lastUpdate is not a time"),
    "a naive time": (lambda: new_job(FILE | {"lastUpdate": datetime(2026, 1, 1)}), "time without its zone"),  # noqa: DTZ001  this is the fault
    "a set": (lambda: new_job(FILE | {"filename": {"f"}}), "a value of the type set"),
    "method": (
        lambda: producer.post_entry_to_fifo_queue(UPDATE, "post", UNREACHABLE),
        "the request method is neither new_job nor update_file",
    ),
    "update": (
        lambda: producer.post_entry_to_fifo_queue({}, RequestMethod.UPDATE_FILE, UNREACHABLE),
        "jobId is missing",
    ),
    "copy request": (
        lambda: producer.post_entry_to_standard_queue({"jobId": "j"}, UNREACHABLE),
        "granuleId is missing",
    ),
    "event": (
        lambda: producer.post_entry_to_standard_queue({"Records": [{}]}, UNREACHABLE),
        "Records[0].s3 is missing",
    ),
}


def update(**changes: Any) -> None:
    given = {"job_id": "j", "granule_id": "g", "filename": "f", "orca_status": 2, "error_message": None}
    producer.update_status_for_file(**{**given, **changes}, db_queue_url=UNREACHABLE)


def new_job(file: dict[str, Any]) -> None:
    producer.create_status_for_job("j", "g", "a", [file], UNREACHABLE)


@pytest.mark.parametrize("kind", INVALID)
def test_what_the_daemon_would_reject_is_refused_with_a_sentence(answering: Any, kind: str) -> None:
    requests = answering(lambda _operation, _parameters: (500, {}))
    call, problem = INVALID[kind]
    with pytest.raises((ValueError, TypeError)) as raised:
        call()
    assert problem in str(raised.value)
    assert "pydantic" not in str(raised.value)
    assert not isinstance(raised.value, ValidationError)
    assert requests == []


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f680", "\n"], ids=["one", "six", "twelve", "control"])
def test_a_long_error_is_truncated_to_fit_a_message(fifo: Queue, letter: str) -> None:
    producer.update_status_for_file("j", "g", "f", OrcaStatus.FAILED, letter * 300_000, fifo.url)
    (message,) = fifo.take()
    sent = len(message["Body"]) + sum(
        len(name) + len("String") + len(value) for name, value in attributes(message).items()
    )
    assert 262_144 - 24 < sent <= 262_144
    assert json.loads(message["Body"])["errorMessage"].endswith(f"{letter}…")


def test_a_granule_can_have_a_group_of_its_own(fifo: Queue) -> None:
    for granule in ("g-1", "g-2"):
        producer.create_status_for_job("op-1", granule, "a", [], fifo.url, grouping=Grouping.GRANULE)
        producer.update_status_for_file(
            "op-1", granule, "f", OrcaStatus.STAGED, None, fifo.url, grouping=Grouping.GRANULE
        )
    groups = {message["Body"]: message["Attributes"]["MessageGroupId"] for message in fifo.take()}
    assert len(groups) == 4
    assert sorted(groups.values()) == sorted(
        2 * [status.granule_group("op-1", None, g) for g in ("g-1", "g-2")]
    )


def test_by_granule_an_object_must_name_its_granule() -> None:
    with pytest.raises(ValueError, match="must name jobId and granuleId"):
        producer.post_entry_to_fifo_queue(
            {}, RequestMethod.NEW_JOB, "https://nowhere.invalid", grouping=Grouping.GRANULE
        )


def test_a_confirmation_of_another_body_is_an_error(answering: Any) -> None:
    answer: Answer = lambda _operation, _parameters: (200, {"MessageId": "m", "MD5OfMessageBody": "0" * 32})  # noqa: E731
    answering(answer)
    with pytest.raises(SendError, match="MD5"):
        producer.post_entry_to_standard_queue(EVENT, UNREACHABLE)


LIES: dict[str, Any] = {
    "a page": b"<html>log in</html>",
    "nothing": b"",
    "an object": {},
    "a list": [1],
    "null": None,
    "a text": "ok",
    "half of it": b'{"MessageId": "m", "MD5OfMess',
    "no id": {"MD5OfMessageBody": hashlib.md5(b"{}", usedforsecurity=False).hexdigest()},
}


@pytest.mark.parametrize("kind", LIES)
def test_a_response_that_is_not_from_sqs_is_an_error(answering: Any, kind: str) -> None:
    answering(lambda _operation, _parameters: (200, LIES[kind]))
    with pytest.raises(SendError):
        send(Outgoing(body="{}"), "https://nowhere.invalid/q")


def test_the_client_is_for_the_region_in_the_url_and_the_url_is_stripped(answering: Any) -> None:
    urls: list[str] = []
    digest = hashlib.md5(b"{}", usedforsecurity=False).hexdigest()

    def answer(_operation: str, parameters: dict[str, Any]) -> tuple[int, Any]:
        urls.append(parameters["QueueUrl"])
        return 200, {"MessageId": "m", "MD5OfMessageBody": digest}

    answering(answer)
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
    send(Outgoing(body="{}"), f"{url}/\n")
    assert urls == [url]
    assert sqs(url).meta.region_name == "eu-west-1"
    assert sqs("https://nowhere.invalid/q").meta.region_name == "us-west-2"


@pytest.mark.parametrize("status", [300, 403, 500])
def test_an_answer_outside_the_200s_is_an_error(answering: Any, status: int) -> None:
    answering(lambda _operation, _parameters: (status, {}))
    with pytest.raises((SendError, ClientError)):
        producer.post_entry_to_standard_queue(EVENT, UNREACHABLE)


@pytest.mark.parametrize("status", [199, 300])
def test_the_status_is_checked_although_boto3_does_not_check_it(status: int) -> None:
    with pytest.raises(SendError, match=f"HTTP status {status}"):
        check_status({"ResponseMetadata": {"HTTPStatusCode": status}})


@pytest.mark.parametrize("region", [None, ""])
def test_without_aws_region_there_is_an_error(monkeypatch: pytest.MonkeyPatch, region: str | None) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    if region is not None:
        monkeypatch.setenv("AWS_REGION", region)
    with pytest.raises(ValueError, match="AWS_REGION"):
        producer.get_aws_region()
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert producer.get_aws_region() == "us-west-2"


def test_the_enums_have_the_values_of_orca() -> None:
    assert {each.name: each.value for each in RequestMethod} == {
        "NEW_JOB": "new_job",
        "UPDATE_FILE": "update_file",
    }
    assert [(each.name, each.value) for each in OrcaStatus] == [
        ("PENDING", 1),
        ("STAGED", 2),
        ("FAILED", 3),
        ("SUCCESS", 4),
    ]
    assert [(each.name, each.value) for each in ReconcileStatus] == [
        ("GETTING_S3_LIST", 1),
        ("STAGED", 2),
        ("GENERATING_REPORTS", 3),
        ("ERROR", 4),
        ("SUCCESS", 5),
    ]


def test_importing_the_library_imports_nothing_heavy() -> None:
    script = (
        "import sys; from orca_daemon.producer import database, reconciliation;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {
        "aiobotocore",
        "aiohttp",
        "alembic",
        "boto3",
        "botocore",
        "duckdb",
        "prometheus_client",
        "psycopg2",
    }
    heavy |= {"pyarrow", "rich", "sqlalchemy", "structlog", "typer", "asyncio"}
    assert heavy.isdisjoint(result.stdout.split())


def test_positional_arguments_in_the_newer_order_are_refused() -> None:
    update: Any = producer.update_status_for_file
    create: Any = producer.create_status_for_job
    with pytest.raises(TypeError):
        update("j", "c", "g", "f", OrcaStatus.STAGED, None, "https://nowhere.invalid")
    with pytest.raises(TypeError):
        create("j", "c", "g", "a", [], "https://nowhere.invalid")
