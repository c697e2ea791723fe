"""Many messages: ten to a call, within its size, with a result for each."""

import json
from typing import Any

import pytest

from orca_daemon import producer
from orca_daemon.producer import OrcaStatus, RequestMethod
from orca_daemon.wire.outgoing import Outgoing, md5
from tests.producer.conftest import Queue
from tests.producer.test_send import EVENT, UPDATE

NOWHERE = "https://nowhere.invalid/q"


def taken(entry: dict[str, Any]) -> dict[str, Any]:
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


def test_jobs_and_plain_objects_go_out_in_batches_too(fifo: Queue, standard: Queue) -> None:
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
def test_one_that_is_no_message_stops_all_before_any_is_sent(answering: Any, bad: dict[str, Any]) -> None:
    asked = answering(lambda _operation, _parameters: (500, {}))
    good = {"job_id": "j", "granule_id": "g", "filename": "f", "orca_status": OrcaStatus.STAGED}
    with pytest.raises((ValueError, TypeError)):
        producer.update_status_for_files([good] * 20 + [good | bad], NOWHERE)
    assert asked == []


def test_a_call_holds_ten_messages_and_no_more_than_its_size(answering: Any) -> None:
    calls: list[int] = []

    def answer(_operation: str, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        calls.append(len(parameters["Entries"]))
        return 200, {"Successful": [taken(entry) for entry in parameters["Entries"]], "Failed": []}

    answering(answer)
    sizes = [1] * 23 + [60, 60, 60, 100, 101]
    results = list(producer.send_batch((Outgoing(body="x" * size) for size in sizes), NOWHERE, limit=100))
    assert calls == [10, 10, 3 + 1, 1, 1, 1]
    assert [result.index for result in results if result.message_id is None] == [27]
    assert results[27].error == "has 101 bytes; the limit is 100"
    assert results[27].sender_fault


def test_each_failure_is_reported_with_its_reason(answering: Any) -> None:
    def answer(_operation: str, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        first, second, third, _ = parameters["Entries"]
        failed = {"Id": second["Id"], "Code": "Busy", "Message": "later", "SenderFault": False}
        wrong = taken(third) | {"MD5OfMessageBody": "0" * 32}
        return 200, {"Successful": [wrong, taken(first)], "Failed": [failed]}

    answering(answer)
    results = list(producer.send_batch([Outgoing(body=str(number)) for number in range(4)], NOWHERE))
    assert [result.message_id for result in results] == ["m0", None, None, None]
    assert [result.error for result in results] == [
        None,
        "Busy: later",
        "the MD5 of the body that SQS received is not that of the body that was sent",
        "SQS returned no result for it",
    ]


STRANGE: dict[str, Any] = {
    "unknown": [{"Id": "99", "MessageId": "m", "MD5OfMessageBody": md5("0")}],
    "no id": [{"MessageId": "m", "MD5OfMessageBody": md5("0")}],
    "null": [None],
    "no message id": [{"Id": "0", "MD5OfMessageBody": md5("0")}],
    "repeated": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": md5("0")}] * 2,
}


@pytest.mark.parametrize("kind", STRANGE)
def test_an_entry_that_is_not_named_once_was_not_taken(answering: Any, kind: str) -> None:
    answering(lambda _operation, _parameters: (200, {"Successful": STRANGE[kind]}))
    [result] = producer.send_batch([Outgoing(body="0")], NOWHERE)
    assert result.message_id is None
    assert result.error


@pytest.mark.parametrize(
    "body", [b"<html>log in</html>", b"", [1], None], ids=["page", "nothing", "list", "null"]
)
def test_what_is_no_answer_of_sqs_takes_nothing(answering: Any, body: Any) -> None:
    answering(lambda _operation, _parameters: (200, body))
    results = list(producer.send_batch([Outgoing(body=str(number)) for number in range(12)], NOWHERE))
    assert {result.message_id for result in results} == {None}
    assert all(result.error for result in results)


@pytest.mark.parametrize("status", [300, 500])
def test_a_failed_call_ends_the_sending_and_the_rest_is_reported(answering: Any, status: int) -> None:
    asked = answering(lambda _operation, _parameters: (status, {"__type": "InternalError", "message": "no"}))
    results = list(producer.send_batch([Outgoing(body=str(number)) for number in range(15)], NOWHERE))
    assert asked == ["SendMessageBatch"]
    assert len(results) == 15
    assert {result.message_id for result in results} == {None}
    assert {result.error for result in results[10:]} == {"not sent, because an earlier call failed"}


def test_nothing_to_send_asks_nothing(answering: Any) -> None:
    asked = answering(lambda _operation, _parameters: (500, {}))
    assert producer.post_entries_to_standard_queue([], NOWHERE) == []
    assert asked == []
