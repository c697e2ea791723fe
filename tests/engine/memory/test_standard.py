"""A standard queue in memory, on a clock that the test moves."""

from typing import Any

import pytest

from orca_daemon.engine.memory import Happened, MemoryQueue, QueueOptions, Redrive, RequestRefusedError
from tests.engine.memory.clock import Clock

HOUR = 3600


def queue(clock: Clock, **options: Any) -> MemoryQueue:
    return MemoryQueue("work", QueueOptions(**options), clock=clock)


def test_a_message_is_hidden_for_its_lease_and_then_comes_again(clock: Clock) -> None:
    work = queue(clock)
    sent = work.send("a")
    (first,) = work.take(10, visibility=30)
    assert work.take(10) == []
    clock.pass_(29.9)
    assert work.take(10) == []
    clock.pass_(0.1)
    (second,) = work.take(10)
    assert (second.message.id, second.receive_count) == (sent.id, 2)
    assert second.receipt != first.receipt
    assert second.first_received_at == first.first_received_at


def test_a_receive_takes_no_more_than_asked_for_and_the_oldest_first(clock: Clock) -> None:
    work = queue(clock)
    for number in range(25):
        work.send(str(number))
    assert [each.message.body for each in work.take(10)] == [str(number) for number in range(10)]
    assert len(work.take(3)) == 3
    assert work.counts() == (12, 13, 0)


def test_a_delayed_message_counts_as_delayed_until_its_time(clock: Clock) -> None:
    work = queue(clock, delay=5)
    work.send("by the queue")
    work.send("by itself", delay=60)
    work.send("at once", delay=0)
    assert work.counts() == (1, 0, 2)
    clock.pass_(5)
    assert {each.message.body for each in work.take(10)} == {"by the queue", "at once"}
    clock.pass_(55)
    assert work.counts() == (3, 0, 0)


def test_the_latest_handle_deletes_even_after_its_lease(clock: Clock) -> None:
    work = queue(clock)
    work.send("a")
    (received,) = work.take(visibility=1)
    clock.pass_(2)
    work.delete(received.receipt)
    assert work.take() == []
    assert work.counts() == (0, 0, 0)


def test_an_older_handle_succeeds_and_deletes_nothing(clock: Clock) -> None:
    work = queue(clock)
    work.send("a")
    (old,) = work.take(visibility=1)
    clock.pass_(2)
    work.take()
    work.delete(old.receipt)
    assert work.counts() == (0, 1, 0)


def test_deleting_twice_is_no_error_but_an_invented_handle_is(clock: Clock) -> None:
    work = queue(clock)
    work.send("a")
    (received,) = work.take()
    work.delete(received.receipt)
    work.delete(received.receipt)
    for handle in ("", "nonsense", "1.2", received.receipt.replace(".", "x")):
        with pytest.raises(RequestRefusedError) as refused:
            work.delete(handle)
        assert refused.value.code == "ReceiptHandleIsInvalid"


def test_visibility_cannot_be_changed_after_the_lease(clock: Clock) -> None:
    work = queue(clock)
    work.send("a")
    (received,) = work.take(visibility=1)
    clock.pass_(1)
    with pytest.raises(RequestRefusedError) as refused:
        work.hide(received.receipt, 10)
    assert refused.value.code == "MessageNotInflight"


def test_a_message_given_back_is_there_at_once(clock: Clock) -> None:
    work = queue(clock)
    work.send("a")
    (received,) = work.take()
    work.hide(received.receipt, 0)
    assert [each.receive_count for each in work.take()] == [2]


def test_all_extensions_together_end_twelve_hours_after_the_receive(clock: Clock) -> None:
    work = queue(clock)
    work.send("a")
    (received,) = work.take(visibility=6 * HOUR)
    clock.pass_(5 * HOUR)
    work.hide(received.receipt, 7 * HOUR)
    clock.pass_(1)
    with pytest.raises(RequestRefusedError, match="beyond the limit"):
        work.hide(received.receipt, 7 * HOUR)
    work.hide(received.receipt, 7 * HOUR - 1)
    with pytest.raises(RequestRefusedError, match="Must be between"):
        work.hide(received.receipt, 12 * HOUR + 1)


def test_a_message_received_too_often_is_moved_by_the_next_receive(clock: Clock) -> None:
    work, dead = queue(clock), MemoryQueue("dead", QueueOptions(), clock=clock)
    work.redrive = Redrive(dead, 2)
    sent = work.send("poison")
    for _ in range(2):
        assert len(work.take(visibility=1)) == 1
        clock.pass_(1)
    assert dead.counts() == (0, 0, 0)
    assert work.take() == []
    (dead_lettered,) = dead.take()
    assert (dead_lettered.message.id, dead_lettered.receive_count, dead_lettered.message.came_from) == (
        sent.id,
        3,
        "work",
    )
    assert dead_lettered.message.sent_at == 1000.0


def test_without_its_dead_letter_queue_a_message_stays(clock: Clock) -> None:
    work, dead = queue(clock), MemoryQueue("dead", QueueOptions(), clock=clock)
    work.redrive = Redrive(dead, 1)
    work.send("poison")
    work.take(visibility=0)
    dead.close()
    assert [each.receive_count for each in work.take()] == [2]


def test_old_messages_leave_even_in_flight(clock: Clock) -> None:
    work = queue(clock, retention=HOUR)
    work.send("old")
    clock.pass_(HOUR / 2)
    work.send("young")
    work.take(1, visibility=12 * HOUR)
    clock.pass_(HOUR / 2)
    assert work.counts() == (1, 0, 0)
    assert [each.message.body for each in work.take(10)] == ["young"]


def test_too_many_in_flight_is_an_error(clock: Clock) -> None:
    work = queue(clock, max_in_flight=12)
    for number in range(20):
        work.send(str(number))
    assert (len(work.take(10)), len(work.take(10))) == (10, 2)
    with pytest.raises(RequestRefusedError) as refused:
        work.take()
    assert refused.value.code == "OverLimit"


def test_a_lease_of_nothing_delivers_a_message_once_a_call(clock: Clock) -> None:
    work = queue(clock)
    work.send("a")
    assert len(work.take(10, visibility=0)) == 1
    assert len(work.take(10, visibility=0)) == 1
    assert work.counts() == (1, 0, 0)


def test_a_purged_queue_is_empty_and_its_handles_mean_nothing(clock: Clock) -> None:
    work = queue(clock)
    work.send("a")
    (received,) = work.take()
    work.send("b", delay=10)
    work.purge()
    assert work.counts() == (0, 0, 0)
    work.delete(received.receipt)


def test_a_deleted_queue_answers_nothing(clock: Clock) -> None:
    work = queue(clock)
    work.close()
    with pytest.raises(RequestRefusedError) as refused:
        work.send("a")
    assert refused.value.code == "QueueDoesNotExist"


def test_a_message_can_be_delivered_twice_on_purpose(clock: Clock) -> None:
    work = queue(clock)
    sent = work.send("a")
    (first,) = work.take()
    assert work.double(sent.id)
    (second,) = work.take()
    assert second.message.id == sent.id
    work.delete(first.receipt)
    assert work.counts() == (0, 1, 0)
    work.delete(second.receipt)
    assert work.counts() == (0, 0, 0)


def test_the_record_has_everything_in_order(clock: Clock) -> None:
    reported: list[Happened] = []
    work = MemoryQueue("work", QueueOptions(), clock=clock, record=reported.append)
    work.send("a")
    (received,) = work.take(visibility=10)
    clock.pass_(5)
    work.hide(received.receipt, 10)
    clock.pass_(60)
    (again,) = work.take()
    work.delete(received.receipt)
    work.delete(again.receipt)
    assert [(each.what, each.at) for each in reported] == [
        ("sent", 1000.0),
        ("received", 1000.0),
        ("hidden", 1005.0),
        ("lapsed", 1015.0),
        ("received", 1065.0),
        ("ignored", 1065.0),
        ("deleted", 1065.0),
    ]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"body": ""}, "MissingParameter"),
        ({"body": "\x00"}, "InvalidMessageContents"),
        ({"body": "\ud800"}, "InvalidMessageContents"),
        ({"body": "a" * 1025}, "InvalidParameterValue"),
        ({"body": "é" * 513}, "InvalidParameterValue"),
        ({"body": "a", "deduplication_id": "1"}, "InvalidParameterValue"),
        ({"body": "a", "delay": 901}, "InvalidParameterValue"),
        ({"body": "a", "group": "has space"}, "InvalidParameterValue"),
        (
            {"body": "a", "attributes": {"x": {"DataType": "String", "StringValue": ""}}},
            "InvalidParameterValue",
        ),
        (
            {"body": "a", "attributes": {"x": {"DataType": "Text", "StringValue": "1"}}},
            "InvalidParameterValue",
        ),
        (
            {"body": "a", "attributes": {"x": {"DataType": "Number", "StringValue": "one"}}},
            "InvalidParameterValue",
        ),
        (
            {"body": "a", "attributes": {"x": {"DataType": "Binary", "StringValue": "1"}}},
            "InvalidParameterValue",
        ),
        (
            {"body": "a", "attributes": {"AWS.x": {"DataType": "String", "StringValue": "1"}}},
            "InvalidParameterValue",
        ),
        (
            {
                "body": "a",
                "attributes": {f"x{n}": {"DataType": "String", "StringValue": "1"} for n in range(11)},
            },
            "InvalidParameterValue",
        ),
    ],
)
def test_what_sqs_would_not_store_is_refused(clock: Clock, parameters: dict[str, Any], code: str) -> None:
    work = queue(clock, max_size=1024)
    with pytest.raises(RequestRefusedError) as refused:
        work.send(**parameters)
    assert refused.value.code == code
    assert work.counts() == (0, 0, 0)


def test_what_sqs_stores_is_kept_as_it_came(clock: Clock) -> None:
    work = queue(clock)
    attributes: dict[str, dict[str, object]] = {
        "RequestMethod": {"DataType": "String", "StringValue": "new_job"},
        "n": {"DataType": "Number.int", "StringValue": "-1.5e3"},
        "b": {"DataType": "Binary.png", "BinaryValue": b"\x00\x01"},
    }
    work.send("tab\tand 𝄞", attributes=attributes, group="tenant", trace="Root=1")
    message = work.take()[0].message
    assert (message.body, message.attributes, message.group) == ("tab\tand 𝄞", attributes, "tenant")


def test_memory_stays_flat_while_messages_pass_through(clock: Clock) -> None:
    work = queue(clock)
    for _ in range(5_000):
        work.send("a")
        work.delete(work.take()[0].receipt)
    shelf = work._shelf
    assert len(shelf._ages._heap) < 200
    assert len(shelf._hidden._heap) < 200
