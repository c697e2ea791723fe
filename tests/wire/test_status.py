"""Status messages: which are accepted, which are refused with which error, and the bytes sent."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from orca_daemon.wire import status
from orca_daemon.wire.status import NewFile, NewJob, RecoveryStatus, UpdateFile
from orca_daemon.wire.wire_model import MalformedError

NEW = {"RequestMethod": "new_job"}
UPDATE = {"RequestMethod": "update_file"}
MOMENT = "2026-11-21T00:13:35.439458+00:00"
PARSED = datetime(2026, 11, 21, 0, 13, 35, 439458, tzinfo=UTC)


def new_file(**changes: Any) -> dict[str, Any]:
    return {
        "success": False,
        "filename": "g.h5",
        "keyPath": "d/g.h5",
        "restoreDestination": "demo-protected",
        "s3MultipartChunksizeMb": None,
        "statusId": 1,
        "requestTime": MOMENT,
        "lastUpdate": MOMENT,
    } | changes


def new_job(*files: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "jobId": "op-1",
        "collectionId": "C___001",
        "granuleId": "g-1",
        "requestTime": MOMENT,
        "archiveDestination": "demo-orca-archive",
        "files": list(files),
    } | changes


def update(**changes: Any) -> dict[str, Any]:
    return {
        "jobId": "op-1",
        "collectionId": "C___001",
        "granuleId": "g-1",
        "filename": "g.h5",
        "lastUpdate": MOMENT,
        "statusId": 4,
    } | changes


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


def decode(document: object, attributes: dict[str, str]) -> status.StatusMessage:
    return status.decode(json.dumps(document), attributes)


def test_a_new_job_is_read_with_all_its_files() -> None:
    failed = new_file(
        filename="x.h5",
        keyPath="d/x.h5",
        statusId=3,
        errorMessage="gone",
        completionTime=MOMENT,
        success=True,
    )
    expected = NewJob(
        job_id="op-1",
        collection_id="C___001",
        granule_id="g-1",
        request_time=PARSED,
        archive_destination="demo-orca-archive",
        files=(
            NewFile(
                filename="g.h5",
                key_path="d/g.h5",
                restore_destination="demo-protected",
                s3_multipart_chunksize_mb=None,
                status=RecoveryStatus.PENDING,
                request_time=PARSED,
                last_update=PARSED,
            ),
            NewFile(
                filename="x.h5",
                key_path="d/x.h5",
                restore_destination="demo-protected",
                s3_multipart_chunksize_mb=None,
                status=RecoveryStatus.FAILED,
                error_message="gone",
                request_time=PARSED,
                last_update=PARSED,
                completion_time=PARSED,
            ),
        ),
    )
    assert expected == decode(new_job(new_file(), failed), NEW)


def test_a_job_may_have_no_files() -> None:
    message = decode(new_job(), NEW)
    assert isinstance(message, NewJob)
    assert message.files == ()


def test_messages_of_older_producers_may_have_no_collection() -> None:
    assert decode(without(new_job(), "collectionId"), NEW).collection_id is None
    assert decode(without(update(), "collectionId"), UPDATE).collection_id is None


@pytest.mark.parametrize(
    ("sent", "read"),
    [(None, None), (250, 250), (1.5, 2), (2.5, 3), ("250", 250), (0, 0), (2**31 - 1, 2**31 - 1)],
)
def test_a_chunk_size_is_read_as_postgres_reads_it(sent: object, read: int | None) -> None:
    message = decode(new_job(new_file(s3MultipartChunksizeMb=sent)), NEW)
    assert isinstance(message, NewJob)
    assert message.files[0].s3_multipart_chunksize_mb == read


@pytest.mark.parametrize("sent", ["many", True, [], {}, -1, 2**31, 1e400, "", "1" * 6000])
def test_a_chunk_size_that_does_not_fit_its_column_is_refused(sent: object) -> None:
    body = json.dumps(new_job(new_file(s3MultipartChunksizeMb=sent)))
    with pytest.raises(MalformedError, match=r"files\[0\]\.s3MultipartChunksizeMb is "):
        status.decode(body, NEW)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (without(update(), "jobId"), "jobId is missing"),
        (without(update(), "lastUpdate"), "lastUpdate is missing"),
        (update(jobId=7), "jobId is not a string"),
        (update(jobId=None), "jobId is not a string"),
        (update(job_id="x"), None),
        (update(statusId=7), "statusId is not one of 1, 2, 3, 4"),
        (update(statusId="4"), "statusId is not an integer"),
        (update(statusId=True), "statusId is not an integer"),
        (update(statusId=3.5), "statusId is not one of"),
        (update(statusId=4.0), None),
        (update(lastUpdate="2026-11-21T00:13:35Z"), "lastUpdate is not a time of the form"),
        (update(lastUpdate=1), "lastUpdate is not a string that holds a time"),
        (update(completionTime="soon"), "completionTime is not a time"),
        (update(errorMessage=3), "errorMessage is not a string"),
        (update(errorMessage=None), None),
        (update(filename="a\0b"), "filename holds a NUL character"),
        (update(granuleId="a\udfff"), "granuleId holds half of a surrogate pair"),
        (update(errorMessage="\ud800"), "errorMessage holds half of a surrogate pair"),
        (update(undeclared="a\0b"), None),
        (update(undeclared={"\ud800": "\ud800"}), None),
        ([], "not an object"),
        ("text", "not an object"),
    ],
)
def test_a_wrong_update_is_refused_with_the_field_and_its_problem(
    document: object, problem: str | None
) -> None:
    if problem is None:
        assert isinstance(decode(document, UPDATE), UpdateFile)
        return
    with pytest.raises(MalformedError) as raised:
        decode(document, UPDATE)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (without(new_job(), "files"), "files is missing"),
        (without(new_job(), "archiveDestination"), "archiveDestination is missing"),
        (
            new_job(without(new_file(), "s3MultipartChunksizeMb")),
            "files[0].s3MultipartChunksizeMb is missing",
        ),
        (new_job(new_file(), new_file(filename="b", statusId=2)), "files[1].statusId is neither 1 nor 3"),
        (new_job(new_file(), new_file()), "files holds two files of the same filename"),
        (new_job(new_file(), new_file(keyPath="e/g.h5")), "files holds two files of the same filename"),
        (new_job(files={}), "files is not an array"),
        (new_job(files=[1]), "files[0] is not an object"),
    ],
)
def test_a_wrong_new_job_is_refused_with_the_field_and_its_problem(document: object, problem: str) -> None:
    with pytest.raises(MalformedError) as raised:
        decode(document, NEW)
    assert problem in str(raised.value)


@pytest.mark.parametrize("attributes", [{}, {"RequestMethod": "post"}, {"requestmethod": "new_job"}])
def test_the_attribute_request_method_is_required(attributes: dict[str, str]) -> None:
    with pytest.raises(MalformedError, match="RequestMethod is"):
        decode(update(), attributes)


@pytest.mark.parametrize("body", ["", "{", "\0", '{"jobId": "\\ud800"}', "[" * 100_000])
def test_a_body_that_is_not_valid_is_refused(body: str) -> None:
    with pytest.raises(MalformedError):
        status.decode(body, UPDATE)


def test_the_error_contains_no_value_of_the_message() -> None:
    secret = "hunter2"
    wrong = update(jobId=[secret], lastUpdate=secret, statusId=secret, errorMessage={secret: secret})
    with pytest.raises(MalformedError) as raised:
        decode(wrong, UPDATE)
    assert secret not in str(raised.value)
    assert raised.value.__suppress_context__
    assert "\n" not in str(raised.value)


def test_an_update_is_sent_with_the_bytes_of_orca() -> None:
    failed = UpdateFile(
        job_id="op-1",
        collection_id="C___001",
        granule_id="g-1",
        filename="é.h5",
        last_update=PARSED,
        status=RecoveryStatus.FAILED,
        completion_time=PARSED,
        error_message="gone",
    )
    body = (
        '{"jobId": "op-1", "collectionId": "C___001", "granuleId": "g-1", "filename": "\\u00e9.h5", '
        f'"lastUpdate": "{MOMENT}", "statusId": 3, "completionTime": "{MOMENT}", "errorMessage": "gone"}}'
    )
    sent = status.update_message(failed)
    assert sent.parameters() == {
        "MessageBody": body,
        "MessageGroupId": "request_files",
        "MessageDeduplicationId": "update_file" + hashlib.sha256(body.encode()).hexdigest(),
        "MessageAttributes": {"RequestMethod": {"DataType": "String", "StringValue": "update_file"}},
    }
    assert status.decode(sent.body, sent.attributes) == failed


def test_a_failed_update_needs_an_error_message() -> None:
    failed = UpdateFile(
        job_id="j", granule_id="g", filename="f", last_update=PARSED, status=RecoveryStatus.FAILED
    )
    with pytest.raises(ValueError, match="error message is required"):
        status.update_message(failed)


def test_each_granule_has_a_group_of_its_own_within_the_limits_of_sqs() -> None:
    groups = {
        status.granule_group("j", "c", "g"),
        status.granule_group("j", "cg", ""),
        status.granule_group("jc", "", "g"),
        status.granule_group("j", None, "g"),
        status.granule_group("j" * 500, "ü", "g"),
    }
    assert len(groups) == 5
    assert all(group.isascii() and len(group) <= 128 for group in groups)
