"""Many messages: ten per request, within its size limit, and a result for each."""

import json
from typing import Any

import pytest

from orca_daemon import producer
from orca_daemon.producer import OrcaStatus, RequestMethod
from orca_daemon.wire.outgoing import Outgoing, md5
from tests.producer.conftest import Queue
from tests.producer.test_send import EVENT, UPDATE

UNREACHABLE = "https://nowhere.invalid/q"


def confirmation(entry: dict[str, Any]) -> dict[str, Any]:
    return {"Id": entry["Id"], "MessageId": "m" + entry["Id"], "MD5OfMessageBody": md5(entry["MessageBody"])}


def test_updates_arrive_in_their_order(fifo: Queue) -> None:
    names = [f"{number:02}.h5" for number in range(25)]
    updates = [
        {"job_id": "j", "granule_id": "g", "filename": name, "orca_status": OrcaStatus.STAGED}
        for name in names
    ]
    results = producer.update_status_for_files(updates, fifo.url)
    assert [result.index for result in results] == list(range(25))
    assert all(result.message_id for result in results)
    assert [json.loads(message["Body"])["filename"] for message in fifo.take(25)] == names


def test_jobs_and_json_objects_are_sent_in_batches_too(fifo: Queue, standard: Queue) -> None:
    job = {"job_id": "j", "archive_destination": "a", "files": []}
    jobs = [{**job, "granule_id": granule, "collection_id": "c"} for granule in "abc"]
    assert len(producer.create_status_for_jobs(jobs, fifo.url)) == 3
    updates = [UPDATE | {"number": number} for number in range(12)]
    producer.post_entries_to_fifo_queue(updates, RequestMethod.UPDATE_FILE, fifo.url)
    events = [EVENT | {"number": number} for number in range(12)]
    producer.post_entries_to_standard_queue(events, standard.url)
    assert len(fifo.take(15)) == 15
    assert len(standard.take(12)) == 12


@pytest.mark.parametrize(
    "bad",
    [{"orca_status": OrcaStatus.FAILED}, {"orca_status": 9}, {"granule": "misspelt"}, {"job_id": "\0"}],
    ids=["no error", "status", "argument", "NUL"],
)
def test_if_one_message_is_invalid_none_is_sent(answering: Any, bad: dict[str, Any]) -> None:
    requests = answering(lambda _operation, _parameters: (500, {}))
    good = {"job_id": "j", "granule_id": "g", "filename": "f", "orca_status": OrcaStatus.STAGED}
    with pytest.raises((ValueError, TypeError)):
        producer.update_status_for_files([good] * 20 + [good | bad], UNREACHABLE)
    assert requests == []


def test_a_request_has_at_most_ten_messages_and_its_size_limit(answering: Any) -> None:
    calls: list[int] = []

    def answer(_operation: str, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        calls.append(len(parameters["Entries"]))
        return 200, {"Successful": [confirmation(entry) for entry in parameters["Entries"]], "Failed": []}

    answering(answer)
    sizes = [1] * 23 + [60, 60, 60, 100, 101]
    results = list(producer.send_batch((Outgoing(body="x" * size) for size in sizes), UNREACHABLE, limit=100))
    assert calls == [10, 10, 3 + 1, 1, 1, 1]
    assert [result.index for result in results if result.message_id is None] == [27]
    assert results[27].error == "has 101 bytes; the limit is 100"
    assert results[27].sender_fault


def test_each_failure_is_reported_with_its_reason(answering: Any) -> None:
    def answer(_operation: str, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        first, second, third, _ = parameters["Entries"]
        failed = {"Id": second["Id"], "Code": "Busy", "Message": "later", "SenderFault": False}
        wrong = confirmation(third) | {"MD5OfMessageBody": "0" * 32}
        return 200, {"Successful": [wrong, confirmation(first)], "Failed": [failed]}

    answering(answer)
    results = list(producer.send_batch([Outgoing(body=str(number)) for number in range(4)], UNREACHABLE))
    assert [result.message_id for result in results] == ["m0", None, None, None]
    assert [result.error for result in results] == [
        None,
        "Busy: later",
        "the MD5 of the body that SQS received is not that of the body that was sent",
        "SQS returned no result for it",
    ]


WRONG_RESULTS: dict[str, Any] = {
    "unknown": [{"Id": "99", "MessageId": "m", "MD5OfMessageBody": md5("0")}],
    "no id": [{"MessageId": "m", "MD5OfMessageBody": md5("0")}],
    "null": [None],
    "no message id": [{"Id": "0", "MD5OfMessageBody": md5("0")}],
    "repeated": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": md5("0")}] * 2,
}


@pytest.mark.parametrize("kind", WRONG_RESULTS)
def test_an_entry_that_the_response_does_not_name_exactly_once_has_failed(answering: Any, kind: str) -> None:
    answering(lambda _operation, _parameters: (200, {"Successful": WRONG_RESULTS[kind]}))
    [result] = producer.send_batch([Outgoing(body="0")], UNREACHABLE)
    assert result.message_id is None
    assert result.error


@pytest.mark.parametrize(
    "body", [b"<html>log in</html>", b"", [1], None], ids=["page", "nothing", "list", "null"]
)
def test_with_a_response_that_is_not_from_sqs_all_messages_have_failed(answering: Any, body: Any) -> None:
    answering(lambda _operation, _parameters: (200, body))
    results = list(producer.send_batch([Outgoing(body=str(number)) for number in range(12)], UNREACHABLE))
    assert {result.message_id for result in results} == {None}
    assert all(result.error for result in results)


@pytest.mark.parametrize("status", [300, 500])
def test_after_a_failed_request_the_rest_is_not_sent_and_is_reported(answering: Any, status: int) -> None:
    requests = answering(
        lambda _operation, _parameters: (status, {"__type": "InternalError", "message": "no"})
    )
    results = list(producer.send_batch([Outgoing(body=str(number)) for number in range(15)], UNREACHABLE))
    assert requests == ["SendMessageBatch"]
    assert len(results) == 15
    assert {result.message_id for result in results} == {None}
    assert {result.error for result in results[10:]} == {"not sent, because an earlier call failed"}


def test_without_messages_there_is_no_request(answering: Any) -> None:
    requests = answering(lambda _operation, _parameters: (500, {}))
    assert producer.post_entries_to_standard_queue([], UNREACHABLE) == []
    assert requests == []
