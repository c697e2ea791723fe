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


async def test_a_group_comes_in_the_order_in_which_it_was_sent(party: Party) -> None:
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


async def test_a_group_in_flight_is_closed_while_others_go_on(party: Party) -> None:
    queue = await filled(party, "aab")
    assert bodies(await queue.receive(1, wait=5)) == ["a1"]
    assert bodies(await queue.receive(10, wait=5)) == ["b1"]
    assert await queue.receive(10) == []


async def test_a_group_stays_closed_until_all_of_it_is_deleted(party: Party) -> None:
    queue = await filled(party, "aaa")
    first, second = await queue.receive(2, wait=5)
    await queue.source.delete([first])
    assert await queue.receive(10) == []
    await queue.source.delete([second])
    assert bodies(await queue.receive(10, wait=5)) == ["a3"]


async def test_the_head_is_deliverable_while_later_ones_are_in_flight(party: Party) -> None:
    queue = await filled(party, "aaa")
    first, *_ = await queue.receive(10, wait=5)
    await queue.source.hide([first], 0)
    assert bodies(await queue.receive(10, wait=2)) == ["a1"]


async def test_a_hidden_head_holds_up_what_is_visible_behind_it(party: Party) -> None:
    queue = await filled(party, "aaa")
    _, second, third = await queue.receive(10, wait=5)
    assert await queue.source.hide([third, second], 0) == [EntryOutcome.DONE] * 2
    assert await queue.receive(10) == []


async def test_a_group_given_back_from_its_tail_comes_again_in_order(party: Party) -> None:
    queue = await filled(party, "aaaa")
    got = await queue.receive(10, wait=5)
    await queue.source.hide(list(reversed(got)), 0)
    again = await queue.receive(10, wait=5)
    assert bodies(again) == ["a1", "a2", "a3", "a4"]
    assert [each.receive_count for each in again] == [2, 2, 2, 2]


async def test_a_group_comes_in_order_after_its_leases_lapsed(party: Party) -> None:
    queue = await filled(party, "aaa")
    got = await queue.receive(10, wait=5, lease=1)
    assert bodies(got) == ["a1", "a2", "a3"]
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


async def test_the_same_id_is_accepted_again_and_not_delivered_again(party: Party) -> None:
    queue = await party.queue(FIFO)
    await queue.send("a", group="g", id="1")
    await queue.send("b", group="h", id="1")
    assert bodies(await queue.receive(10, wait=5)) == ["a"]


async def test_a_duplicate_is_known_after_the_first_was_deleted(party: Party) -> None:
    queue = await party.queue(FIFO)
    await queue.send("a", group="g", id="1")
    await queue.source.delete(await queue.receive(wait=5))
    await queue.send("a", group="g", id="1")
    assert await queue.receive() == []


async def test_the_sender_of_a_duplicate_gets_the_id_of_the_first(party: Party) -> None:
    queue = await party.queue(FIFO)
    first = await queue.send("a", group="g", id="1")
    assert await queue.send("a", group="g", id="1") == first


async def test_content_is_the_id_where_the_queue_says_so(party: Party) -> None:
    queue = await party.queue({**FIFO, "ContentBasedDeduplication": "true"})
    await queue.send("a", group="g")
    await queue.send("a", group="g", attributes={"x": {"DataType": "String", "StringValue": "1"}})
    await queue.send("b", group="g")
    await queue.send("b", group="g", id="its-own")
    assert bodies(await queue.receive(10, wait=5)) == ["a", "b", "b"]


async def test_duplicates_can_be_a_matter_of_each_group(party: Party) -> None:
    queue = await party.queue({**FIFO, "DeduplicationScope": "messageGroup"})
    for group in "gghh":
        await queue.send(group, group=group, id="1")
    assert sorted(bodies(await queue.receive(10, wait=5))) == ["g", "h"]


async def test_a_send_without_a_group_is_refused(party: Party) -> None:
    queue = await party.queue(FIFO)
    with pytest.raises(RefusalError):
        await queue.send("a", id="1")


async def test_a_send_without_an_id_is_refused(party: Party) -> None:
    queue = await party.queue(FIFO)
    with pytest.raises(RefusalError):
        await queue.send("a", group="g")


async def test_a_message_cannot_have_a_delay_of_its_own(party: Party) -> None:
    queue = await party.queue(FIFO)
    with pytest.raises(RefusalError):
        await queue.send("a", group="g", id="1", delay=5)


async def test_a_repeated_attempt_brings_the_same_messages(party: Party) -> None:
    queue = await filled(party, "aab")
    first = await queue.receive(10, wait=5, attempt_id="try")
    again = await queue.receive(10, wait=1, attempt_id="try")
    assert [(each.id, each.receipt) for each in again] == [(each.id, each.receipt) for each in first]
    assert len(first) == 3
    assert await queue.source.delete(first) == [EntryOutcome.DONE] * 3


async def test_a_repeated_attempt_begins_the_lease_anew(party: Party) -> None:
    queue = await filled(party, "a")
    await queue.receive(10, wait=5, lease=1, attempt_id="try")
    (again,) = await queue.receive(10, wait=1, lease=60, attempt_id="try")
    assert await queue.receive(10, wait=2) == []
    assert await queue.source.delete([again]) == [EntryOutcome.DONE]


async def test_another_attempt_brings_nothing_of_the_first(party: Party) -> None:
    queue = await filled(party, "aa")
    await queue.receive(1, wait=5, attempt_id="one")
    assert await queue.receive(10, attempt_id="two") == []


async def test_an_attempt_whose_messages_were_modified_is_not_repeated(party: Party) -> None:
    queue = await filled(party, "aa")
    first, _ = await queue.receive(10, wait=5, attempt_id="try")
    await queue.source.delete([first])
    again = await queue.receive(10, attempt_id="another")
    assert again == []  # the second message is in flight
    with contextlib.suppress(SourceError):  # AWS does not say whether it is an error
        assert await queue.receive(10, attempt_id="try") == []


async def test_a_message_has_its_group_and_id(party: Party) -> None:
    queue = await party.queue(FIFO)
    await queue.send("a", group="g", id="1")
    (got,) = await queue.receive(wait=5)
    assert (got.group, got.deduplication_id) == ("g", "1")
    assert got.sequence > 0
