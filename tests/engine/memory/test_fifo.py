"""A FIFO queue in memory, on a clock that the test moves."""

from typing import Any

import pytest

from orca_daemon.engine.memory import (
    Happened,
    MemoryQueue,
    QueueOptions,
    Received,
    Redrive,
    RequestRefusedError,
)
from tests.engine.memory.clock import Clock


def queue(clock: Clock, **options: Any) -> MemoryQueue:
    return MemoryQueue("work.fifo", QueueOptions(fifo=True, **options), clock=clock)


def fill(work: MemoryQueue, groups: str) -> None:
    """Send one message for each letter, which is its group: a1, a2, b1, ..."""
    for index, group in enumerate(groups):
        number = groups[: index + 1].count(group)
        work.send(f"{group}{number}", group=group, deduplication_id=f"{group}{number}")


def bodies(taken: list[Received]) -> list[str]:
    return [each.message.body for each in taken]


def test_one_group_fills_the_batch_before_the_next(clock: Clock) -> None:
    work = queue(clock)
    fill(work, "abababc")
    assert bodies(work.take(10)) == ["a1", "a2", "a3", "b1", "b2", "b3", "c1"]


def test_a_group_in_flight_is_closed_while_others_go_on(clock: Clock) -> None:
    work = queue(clock)
    fill(work, "aab")
    (head,) = work.take(1)
    assert bodies(work.take(10)) == ["b1"]
    assert work.take(10) == []
    work.delete(head.receipt)
    assert bodies(work.take(10)) == ["a2"]


def test_the_head_is_deliverable_while_later_ones_are_in_flight(clock: Clock) -> None:
    work = queue(clock)
    fill(work, "aaa")
    head, second, _ = work.take(10)
    work.hide(head.receipt, 0)
    assert bodies(work.take(10)) == ["a1"]
    work.hide(second.receipt, 0)
    assert work.take(10) == []


def test_a_follower_given_back_waits_for_the_head(clock: Clock) -> None:
    work = queue(clock)
    fill(work, "aaa")
    head, second, third = work.take(10, visibility=100)
    work.hide(third.receipt, 0)
    work.hide(second.receipt, 0)
    assert work.take(10) == []
    work.hide(head.receipt, 0)
    assert bodies(work.take(10)) == ["a1", "a2", "a3"]


def test_order_is_kept_when_leases_lapse_at_different_times(clock: Clock) -> None:
    work = queue(clock)
    fill(work, "aaa")
    head, second, third = work.take(10, visibility=30)
    work.hide(head.receipt, 90)
    work.delete(second.receipt)
    clock.pass_(60)
    assert work.take(10) == []
    clock.pass_(30)
    assert bodies(work.take(10)) == ["a1", "a3"]
    assert third.message.receive_count == 2


def test_an_expired_handle_neither_deletes_nor_extends(clock: Clock) -> None:
    work = queue(clock)
    fill(work, "a")
    (received,) = work.take(visibility=10)
    clock.pass_(10)
    with pytest.raises(RequestRefusedError, match="expired") as refused:
        work.delete(received.receipt)
    assert refused.value.code == "InvalidParameterValue"
    with pytest.raises(RequestRefusedError, match="expired"):
        work.hide(received.receipt, 10)
    (again,) = work.take()
    with pytest.raises(RequestRefusedError, match="expired"):
        work.delete(received.receipt)
    work.delete(again.receipt)
    assert work.counts() == (0, 0, 0)


def test_the_same_send_within_five_minutes_is_one_message(clock: Clock) -> None:
    work = queue(clock)
    first = work.send("a", group="g", deduplication_id="1")
    work.delete(work.take()[0].receipt)
    clock.pass_(299.9)
    assert work.send("another body", group="other", deduplication_id="1") == first
    assert work.take() == []
    clock.pass_(0.1)
    assert work.send("a", group="g", deduplication_id="1") != first
    assert work.counts() == (1, 0, 0)


def test_deduplication_can_be_a_matter_of_each_group(clock: Clock) -> None:
    work = queue(clock, deduplication_per_group=True)
    assert work.send("a", group="g", deduplication_id="1") != work.send("a", group="h", deduplication_id="1")
    assert work.send("a", group="g", deduplication_id="1").sequence == 1


def test_content_serves_as_deduplication_id_where_none_is_given(clock: Clock) -> None:
    work = queue(clock, content_deduplication=True)
    first = work.send("a", group="g")
    assert work.send("a", group="g", attributes={"x": {"DataType": "String", "StringValue": "1"}}) == first
    key = work.take()[0].message.deduplication_id
    assert work.send("different", group="g", deduplication_id=key) == first
    assert work.send("a", group="g", deduplication_id="other") != first


def test_a_send_needs_its_group_and_a_way_to_know_duplicates(clock: Clock) -> None:
    work = queue(clock)
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"deduplication_id": "1"}, "MissingParameter"),
        ({"group": "g"}, "InvalidParameterValue"),
        ({"group": "g" * 129, "deduplication_id": "1"}, "InvalidParameterValue"),
        ({"group": "g", "deduplication_id": "é"}, "InvalidParameterValue"),
        ({"group": "g", "deduplication_id": "1", "delay": 5}, "InvalidParameterValue"),
    ]
    for parameters, code in refusals:
        with pytest.raises(RequestRefusedError) as refused:
            work.send("a", **parameters)
        assert refused.value.code == code


def test_the_same_attempt_brings_the_same_messages_and_renews_their_lease(clock: Clock) -> None:
    work = queue(clock)
    fill(work, "aab")
    first = work.take(10, visibility=30, attempt_id="try")
    clock.pass_(20)
    assert work.take(10, visibility=30, attempt_id="try") == first
    assert [each.message.receive_count for each in first] == [1, 1, 1]
    clock.pass_(20)
    assert work.take(10) == []
    work.delete(first[0].receipt)


def test_another_attempt_brings_nothing_of_the_first(clock: Clock) -> None:
    work = queue(clock)
    fill(work, "aa")
    work.take(1, attempt_id="one")
    assert work.take(10, attempt_id="two") == []


@pytest.mark.parametrize("modify", ["delete", "hide"])
def test_an_attempt_whose_messages_were_modified_is_refused(clock: Clock, modify: str) -> None:
    work = queue(clock)
    fill(work, "aa")
    _, second = work.take(10, attempt_id="try")
    work.delete(second.receipt) if modify == "delete" else work.hide(second.receipt, 60)
    with pytest.raises(RequestRefusedError, match="ReceiveRequestAttemptId"):
        work.take(10, attempt_id="try")


def test_an_attempt_is_forgotten_after_its_lease_and_after_five_minutes(clock: Clock) -> None:
    work = queue(clock)
    fill(work, "a")
    (first,) = work.take(visibility=10, attempt_id="try")
    clock.pass_(10)
    (second,) = work.take(visibility=1000, attempt_id="try")
    assert second.receipt != first.receipt
    clock.pass_(300)
    assert work.take(attempt_id="try") == []


def test_a_poisonous_head_is_moved_and_its_followers_come_at_once(clock: Clock) -> None:
    work, dead = queue(clock), MemoryQueue("dead.fifo", QueueOptions(fifo=True), clock=clock)
    work.redrive = Redrive(dead, 3)
    fill(work, "aa")
    for _ in range(3):
        (head,) = work.take(1, visibility=60)
        work.hide(head.receipt, 0)
    clock.pass_(5)
    assert bodies(work.take(10)) == ["a2"]
    (dead_lettered,) = dead.take(10)
    assert (dead_lettered.message.body, dead_lettered.message.group, dead_lettered.message.sent_at) == (
        "a1",
        "a",
        1005.0,
    )


def test_a_whole_group_of_worn_out_messages_is_moved_in_one_receive(clock: Clock) -> None:
    work, dead = queue(clock), MemoryQueue("dead.fifo", QueueOptions(fifo=True), clock=clock)
    work.redrive = Redrive(dead, 1)
    fill(work, "a" * 25 + "b")
    for _ in range(2):
        clock.pass_(60)
        work.take(10)
    work.take(10)
    assert bodies(dead.take(10)) == [f"a{number}" for number in range(1, 11)]


def test_too_many_in_flight_brings_nothing_and_no_error(clock: Clock) -> None:
    work = queue(clock, max_in_flight=2)
    fill(work, "abc")
    assert len(work.take(10)) == 2
    assert work.take(10) == []


def test_a_changed_delay_holds_for_what_waits_already(clock: Clock) -> None:
    work = queue(clock, delay=600)
    fill(work, "a")
    work.change(QueueOptions(fifo=True, delay=10))
    clock.pass_(10)
    assert bodies(work.take()) == ["a1"]


def test_groups_take_turns(clock: Clock) -> None:
    work = queue(clock)
    fill(work, "aaab")
    (first,) = work.take(1)
    work.delete(first.receipt)
    assert bodies(work.take(1)) == ["b1"]


def test_a_group_that_is_empty_is_forgotten(clock: Clock) -> None:
    work = queue(clock)
    for number in range(100):
        work.send("a", group=str(number), deduplication_id=str(number))
        work.delete(work.take()[0].receipt)
    assert vars(work._shelf._line)["_groups"] == {}


def test_what_is_sent_twice_or_asked_twice_is_recorded(clock: Clock) -> None:
    reported: list[Happened] = []
    work = MemoryQueue("work.fifo", QueueOptions(fifo=True), clock=clock, record=reported.append)
    for _ in range(2):
        work.send("a", group="g", deduplication_id="1")
    for _ in range(2):
        work.take(attempt_id="try")
    assert [each.what for each in reported] == ["sent", "deduplicated", "received", "replayed"]
