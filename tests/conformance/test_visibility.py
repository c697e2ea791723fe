"""Delivery, leases and deletion, as AWS documents them for every queue (guide: visibility timeout)."""

import asyncio

import pytest

from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import EntryOutcome
from tests.conformance.parties import ARRIVAL, FIFO, TRIES, Party, RefusalError, visible, wait_for_receive

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_message_arrives_as_it_was_sent(party: Party) -> None:
    queue = await party.queue()
    attributes = {
        "RequestMethod": {"DataType": "String", "StringValue": "new_job"},
        "Number": {"DataType": "Number.int", "StringValue": "7"},
        "Bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = await queue.send('{"a": "é\t𝄞"}', attributes=attributes)
    (received,) = await queue.receive(wait=5)
    assert (received.id, received.body, received.receive_count) == (sent.id, '{"a": "é\t𝄞"}', 1)
    assert received.attributes == {"RequestMethod": "new_job", "Number": "7"}
    plain = {
        name: {key: value for key, value in each.items() if value and "List" not in key}
        for name, each in received.raw_attributes.items()
    }
    assert plain == attributes
    assert 0 < received.sent_at <= received.first_received_at


async def test_a_received_message_is_hidden_until_its_lease_expires(party: Party) -> None:
    queue = await party.queue()
    sent = await queue.send("a")
    (first,) = await queue.receive(wait=5, lease=1)
    assert await queue.receive() == []
    (second,) = await queue.receive(wait=5)
    assert (second.id, second.receive_count) == (sent.id, 2)
    assert second.receipt != first.receipt
    assert second.first_received_at == first.first_received_at


async def test_a_message_made_visible_can_be_received_at_once(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a")
    (first,) = await queue.receive(wait=5)
    assert await queue.source.hide([first], 0) == [EntryOutcome.DONE]
    (second,) = await queue.receive(wait=1)
    assert second.receive_count == 2


async def test_an_extended_lease_counts_from_the_extension(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a")
    (first,) = await queue.receive(wait=5, lease=1)
    assert await queue.source.hide([first], 60) == [EntryOutcome.DONE]
    assert await queue.receive(wait=2) == []
    assert await queue.source.delete([first]) == [EntryOutcome.DONE]


async def test_visibility_cannot_be_changed_after_the_lease_expired(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a")
    (received,) = await queue.receive(wait=5, lease=1)
    await visible(queue)
    assert await queue.source.hide([received], 60) == [EntryOutcome.GONE]


async def test_a_message_is_hidden_for_twelve_hours_in_total_at_most(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a")
    (received,) = await queue.receive(wait=5, lease=43_200)
    # The total must exceed twelve hours, if only by milliseconds: the clock of a real server cannot be set.
    await asyncio.sleep(0.01)
    assert await queue.source.hide([received], 43_200) != [EntryOutcome.DONE]


async def test_a_deleted_message_is_gone(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a")
    (received,) = await queue.receive(wait=5, lease=1)
    assert await queue.source.delete([received]) == [EntryOutcome.DONE]
    assert await queue.receive(wait=2) == []
    assert await queue.counts() == (0, 0, 0)


async def test_deleting_twice_is_no_error(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a")
    (received,) = await queue.receive(wait=5)
    assert await queue.source.delete([received]) == [EntryOutcome.DONE]
    assert await queue.source.delete([received]) == [EntryOutcome.DONE]


async def test_a_batch_returns_the_outcome_of_each_entry(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a")
    (received,) = await queue.receive(wait=5)
    invented = Envelope(id="x", receipt="nonsense", body="")
    assert await queue.source.delete([invented, received]) == [EntryOutcome.GONE, EntryOutcome.DONE]


async def test_the_latest_handle_of_a_standard_queue_deletes_even_after_its_lease(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a")
    (received,) = await queue.receive(wait=5, lease=1)
    await visible(queue)
    assert await queue.source.delete([received]) == [EntryOutcome.DONE]
    assert await queue.counts() == (0, 0, 0)


async def test_deleting_with_an_old_handle_of_a_standard_queue_is_no_error(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a")
    (first,) = await queue.receive(wait=5, lease=1)
    assert len(await queue.receive(wait=5)) == 1
    assert await queue.source.delete([first]) == [EntryOutcome.DONE]


async def test_a_receive_returns_ten_messages_at_most(party: Party) -> None:
    queue = await party.queue()
    for number in range(12):
        await queue.send(str(number))
    received = list(await queue.receive(10, wait=5))
    assert len(received) <= 10
    while more := await queue.receive(10):
        received += more
    assert sorted(int(each.body) for each in received) == list(range(12))


async def test_a_delayed_message_is_received_after_its_delay(party: Party) -> None:
    queue = await party.queue()
    await queue.send("late", delay=1)
    assert await queue.receive() == []
    assert await queue.counts() == (0, 0, 1)
    (received,) = await queue.receive(wait=5)
    assert received.body == "late"


async def test_the_queues_delay_applies_if_a_message_has_none(party: Party) -> None:
    queue = await party.queue({"DelaySeconds": "600"})
    await queue.send("late")
    await queue.send("soon", delay=0)
    (received,) = await queue.receive(wait=5)
    assert received.body == "soon"
    assert await queue.counts() == (0, 1, 1)


async def test_counts_include_visible_messages_and_those_in_flight(party: Party) -> None:
    queue = await party.queue()
    for body in "abc":
        await queue.send(body)
    await queue.receive(1, wait=5)
    assert await queue.counts() == (2, 1, 0)


async def test_a_long_poll_is_woken_by_a_send(party: Party) -> None:
    queue = await party.queue()
    poll = asyncio.create_task(queue.source.receive(10, wait=10, lease=30))
    await asyncio.sleep(0)
    sent = await queue.send("a")
    async with asyncio.timeout(5):
        (received,) = await poll
    assert received.id == sent.id


async def test_a_cancelled_poll_receives_no_message(party: Party) -> None:
    """AWS promises nothing here.  On a server that fails, a cancelled receive hides a message for a lease."""
    for _ in range(TRIES):
        queue = await party.queue()
        poll = asyncio.create_task(queue.source.receive(10, wait=10, lease=30))
        await asyncio.wait([poll], timeout=ARRIVAL)
        poll.cancel()
        await asyncio.wait([poll])
        await queue.send("a")
        await wait_for_receive(queue)
        (received,) = await queue.receive(wait=2)
        assert received.receive_count == 1


async def test_a_body_over_the_limit_of_its_queue_is_refused(party: Party) -> None:
    queue = await party.queue({"MaximumMessageSize": "1024"})
    with pytest.raises(RefusalError):
        await queue.send("a" * 1025)


async def test_the_size_limit_counts_bytes(party: Party) -> None:
    queue = await party.queue({"MaximumMessageSize": "1024"})
    with pytest.raises(RefusalError):
        await queue.send("é" * 513)


@pytest.mark.filterwarnings("ignore:Sending a large body")  # aiohttp advises its own caller
async def test_a_body_over_a_mebibyte_is_refused(party: Party) -> None:
    queue = await party.queue()
    with pytest.raises(RefusalError):
        await queue.send("a" * 1_048_577)


@pytest.mark.parametrize("character", ["\x00", "\uffff"], ids=["zero", "no character"])
async def test_a_character_that_xml_does_not_allow_is_refused(party: Party, character: str) -> None:
    queue = await party.queue()
    with pytest.raises(RefusalError):
        await queue.send(character)


@pytest.mark.filterwarnings("ignore:Sending a large body")  # aiohttp advises its own caller
async def test_a_mebibyte_is_stored(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a" * 1_048_576)
    (received,) = await queue.receive(wait=5)
    assert len(received.body) == 1_048_576


async def test_attributes_count_towards_the_size_limit(party: Party) -> None:
    queue = await party.queue({"MaximumMessageSize": "1024"})
    attribute = {"DataType": "String", "StringValue": "a" * 100}
    with pytest.raises(RefusalError):
        await queue.send("a" * 1000, attributes={"Name": attribute})


async def test_a_message_with_more_than_ten_attributes_is_refused(party: Party) -> None:
    queue = await party.queue()
    attribute = {"DataType": "String", "StringValue": "1"}
    await queue.send("a", attributes={f"a{number}": attribute for number in range(10)})
    with pytest.raises(RefusalError):
        await queue.send("a", attributes={f"a{number}": attribute for number in range(11)})


async def test_an_attribute_with_an_empty_value_is_refused(party: Party) -> None:
    queue = await party.queue()
    with pytest.raises(RefusalError):
        await queue.send("a", attributes={"x": {"DataType": "String", "StringValue": ""}})


async def test_describe_returns_the_attributes_of_a_queue(party: Party) -> None:
    dead = await party.queue(FIFO)
    queue = await party.queue(
        {**FIFO, "VisibilityTimeout": "77", "MessageRetentionPeriod": "3600"}, dead=dead, max_receives=7
    )
    facts = await queue.describe()
    assert (facts.fifo, facts.visibility, facts.retention, facts.max_receives) == (True, 77, 3600, 7)
    assert facts.dead_letter
    alone = await (await party.queue()).describe()
    assert (alone.fifo, alone.dead_letter, alone.max_receives) == (False, None, None)
