"""FIFO queues, as AWS documents them (developer guide: FIFO delivery logic, exactly-once processing)."""

import contextlib

import pytest

from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import EntryOutcome
from tests.conformance.parties import FIFO, Party, Queue, RefusalError, visible

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def filled(party: Party, groups: str) -> Queue:
    """A queue with one message for each letter, which is its group: a1, a2, b1, ..."""
    queue = await party.queue(FIFO)
    for index, group in enumerate(groups):
        name = f"{group}{groups[: index + 1].count(group)}"
        await queue.send(name, group=group, id=name)
    return queue


def bodies(envelopes: "list[Envelope] | object") -> list[str]:
    assert isinstance(envelopes, list)
    return [each.body for each in envelopes]


async def test_messages_of_a_group_are_received_in_the_order_of_sending(party: Party) -> None:
    queue = await filled(party, "aaaaaaaaaaaa")
    first = await queue.receive(10, wait=5)
    assert bodies(first) == [f"a{number}" for number in range(1, 11)]
    assert {each.group for each in first} == {"a"}
    assert await queue.source.delete(first) == [EntryOutcome.DONE] * 10
    assert bodies(await queue.receive(10, wait=5)) == ["a11", "a12"]


async def test_sequence_numbers_rise(party: Party) -> None:
    queue = await filled(party, "aaaaaaaaaa")
    sequences = [each.sequence for each in await queue.receive(10, wait=5)]
    assert sequences == sorted(sequences)


async def test_a_group_with_a_message_in_flight_is_blocked_and_other_groups_are_not(party: Party) -> None:
    queue = await filled(party, "aab")
    assert bodies(await queue.receive(1, wait=5)) == ["a1"]
    assert bodies(await queue.receive(10, wait=5)) == ["b1"]
    assert await queue.receive(10) == []


async def test_a_group_stays_blocked_until_all_its_messages_in_flight_are_deleted(party: Party) -> None:
    queue = await filled(party, "aaa")
    first, second = await queue.receive(2, wait=5)
    await queue.source.delete([first])
    assert await queue.receive(10) == []
    await queue.source.delete([second])
    assert bodies(await queue.receive(10, wait=5)) == ["a3"]


async def test_the_first_message_is_deliverable_while_later_ones_are_in_flight(
    party: Party,
) -> None:
    queue = await filled(party, "aaa")
    first, *_ = await queue.receive(10, wait=5)
    await queue.source.hide([first], 0)
    assert bodies(await queue.receive(10, wait=2)) == ["a1"]


async def test_a_hidden_first_message_blocks_the_visible_ones_behind_it(party: Party) -> None:
    queue = await filled(party, "aaa")
    _, second, third = await queue.receive(10, wait=5)
    assert await queue.source.hide([third, second], 0) == [EntryOutcome.DONE] * 2
    assert await queue.receive(10) == []


async def test_a_group_made_visible_from_its_last_message_is_received_again_in_order(party: Party) -> None:
    queue = await filled(party, "aaaa")
    received = await queue.receive(10, wait=5)
    await queue.source.hide(list(reversed(received)), 0)
    again = await queue.receive(10, wait=5)
    assert bodies(again) == ["a1", "a2", "a3", "a4"]
    assert [each.receive_count for each in again] == [2, 2, 2, 2]


async def test_a_group_is_received_in_order_after_its_leases_expired(party: Party) -> None:
    queue = await filled(party, "aaa")
    received = await queue.receive(10, wait=5, lease=1)
    assert bodies(received) == ["a1", "a2", "a3"]
    await visible(queue, 3)
    again = await queue.receive(1, wait=5)
    assert bodies(again) == ["a1"]


async def test_an_expired_handle_does_not_delete(party: Party) -> None:
    queue = await filled(party, "a")
    (first,) = await queue.receive(wait=5, lease=1)
    (second,) = await queue.receive(wait=5)
    assert await queue.source.delete([first]) == [EntryOutcome.GONE]
    assert await queue.counts() == (0, 1, 0)
    assert await queue.source.delete([second]) == [EntryOutcome.DONE]


async def test_an_expired_handle_does_not_extend(party: Party) -> None:
    queue = await filled(party, "a")
    (first,) = await queue.receive(wait=5, lease=1)
    (second,) = await queue.receive(wait=5, lease=60)
    assert await queue.source.hide([first], 0) == [EntryOutcome.GONE]
    assert await queue.receive() == []
    assert await queue.source.delete([second]) == [EntryOutcome.DONE]


async def test_a_message_with_a_known_deduplication_id_is_accepted_and_not_delivered(party: Party) -> None:
    queue = await party.queue(FIFO)
    await queue.send("a", group="g", id="1")
    await queue.send("b", group="h", id="1")
    assert bodies(await queue.receive(10, wait=5)) == ["a"]


async def test_a_duplicate_is_detected_after_the_first_was_deleted(party: Party) -> None:
    queue = await party.queue(FIFO)
    await queue.send("a", group="g", id="1")
    await queue.source.delete(await queue.receive(wait=5))
    await queue.send("a", group="g", id="1")
    assert await queue.receive() == []


async def test_the_sender_of_a_duplicate_gets_the_id_of_the_first(party: Party) -> None:
    queue = await party.queue(FIFO)
    first = await queue.send("a", group="g", id="1")
    assert await queue.send("a", group="g", id="1") == first


async def test_content_based_deduplication_uses_the_body_as_the_id(party: Party) -> None:
    queue = await party.queue({**FIFO, "ContentBasedDeduplication": "true"})
    await queue.send("a", group="g")
    await queue.send("a", group="g", attributes={"x": {"DataType": "String", "StringValue": "1"}})
    await queue.send("b", group="g")
    await queue.send("b", group="g", id="its-own")
    assert bodies(await queue.receive(10, wait=5)) == ["a", "b", "b"]


async def test_deduplication_can_be_scoped_to_the_message_group(party: Party) -> None:
    queue = await party.queue({**FIFO, "DeduplicationScope": "messageGroup"})
    for group in "gghh":
        await queue.send(group, group=group, id="1")
    assert sorted(bodies(await queue.receive(10, wait=5))) == ["g", "h"]


async def test_a_send_without_a_group_is_refused(party: Party) -> None:
    queue = await party.queue(FIFO)
    with pytest.raises(RefusalError):
        await queue.send("a", id="1")


async def test_a_send_without_a_deduplication_id_is_refused(party: Party) -> None:
    queue = await party.queue(FIFO)
    with pytest.raises(RefusalError):
        await queue.send("a", group="g")


async def test_a_message_on_a_fifo_queue_cannot_have_its_own_delay(party: Party) -> None:
    queue = await party.queue(FIFO)
    with pytest.raises(RefusalError):
        await queue.send("a", group="g", id="1", delay=5)


async def test_a_repeated_receive_attempt_returns_the_same_messages(party: Party) -> None:
    queue = await filled(party, "aab")
    first = await queue.receive(10, wait=5, attempt_id="try")
    again = await queue.receive(10, wait=1, attempt_id="try")
    assert [(each.id, each.receipt) for each in again] == [(each.id, each.receipt) for each in first]
    assert len(first) == 3
    assert await queue.source.delete(first) == [EntryOutcome.DONE] * 3


async def test_a_repeated_receive_attempt_restarts_the_lease(party: Party) -> None:
    queue = await filled(party, "a")
    await queue.receive(10, wait=5, lease=1, attempt_id="try")
    (again,) = await queue.receive(10, wait=1, lease=60, attempt_id="try")
    assert await queue.receive(10, wait=2) == []
    assert await queue.source.delete([again]) == [EntryOutcome.DONE]


async def test_another_receive_attempt_returns_no_message_of_the_first(party: Party) -> None:
    queue = await filled(party, "aa")
    await queue.receive(1, wait=5, attempt_id="one")
    assert await queue.receive(10, attempt_id="two") == []


async def test_a_receive_attempt_is_not_repeated_once_a_message_of_it_was_deleted(party: Party) -> None:
    queue = await filled(party, "aa")
    first, _ = await queue.receive(10, wait=5, attempt_id="try")
    await queue.source.delete([first])
    again = await queue.receive(10, attempt_id="another")
    assert again == []  # the second message is in flight
    with contextlib.suppress(SourceError):  # AWS does not say whether it is an error
        assert await queue.receive(10, attempt_id="try") == []


async def test_a_received_message_has_its_group_and_deduplication_id(party: Party) -> None:
    queue = await party.queue(FIFO)
    await queue.send("a", group="g", id="1")
    (received,) = await queue.receive(wait=5)
    assert (received.group, received.deduplication_id) == ("g", "1")
    assert received.sequence > 0
