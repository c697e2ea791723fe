"""Dead letters that SQS moves by its redrive policy, as AWS documents, and those that the daemon sends."""

import json

import pytest

from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.evidence import NAME
from orca_daemon.engine.source import EntryOutcome
from tests.conformance.parties import FIFO, Party

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_sqs_moves_a_message_at_the_receive_after_max_receive_count(party: Party) -> None:
    dead = await party.queue()
    queue = await party.queue(dead=dead, max_receives=2)
    sent = await queue.send("poison")
    for _ in range(2):
        (received,) = await queue.receive(wait=5)
        await queue.source.hide([received], 0)
    assert await dead.counts() == (0, 0, 0)
    assert await queue.receive() == []
    (dead_lettered,) = await dead.receive(wait=5)
    assert (dead_lettered.id, dead_lettered.body) == (sent.id, "poison")
    assert await queue.counts() == (0, 0, 0)


async def test_the_receive_count_of_a_dead_letter_continues(party: Party) -> None:
    dead = await party.queue()
    queue = await party.queue(dead=dead, max_receives=1)
    await queue.send("poison")
    (received,) = await queue.receive(wait=5)
    await queue.source.hide([received], 0)
    await queue.receive()
    (dead_lettered,) = await dead.receive(wait=5)
    assert dead_lettered.receive_count == 2


async def test_the_next_message_of_a_group_is_delivered_after_a_dead_letter(party: Party) -> None:
    dead = await party.queue(FIFO)
    queue = await party.queue(FIFO, dead=dead, max_receives=1)
    for name in ("poison", "next"):
        await queue.send(name, group="g", id=name)
    (received,) = await queue.receive(1, wait=5)
    await queue.source.hide([received], 0)
    (following,) = await queue.receive(1, wait=5)
    assert following.body == "next"
    (dead_lettered,) = await dead.receive(wait=5)
    assert (dead_lettered.body, dead_lettered.group) == ("poison", "g")


async def test_a_dead_letter_is_the_message_with_its_evidence(party: Party) -> None:
    dead = await party.queue(FIFO)
    queue = await party.queue(FIFO, dead=dead)
    attributes = {
        "RequestMethod": {"DataType": "String", "StringValue": "new_job"},
        "Bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    await queue.send("poison", group="g", id="1", attributes=attributes)
    await queue.describe()
    (received,) = await queue.receive(wait=5)
    for _ in range(2):  # SQS drops the second one: it has the same deduplication id within five minutes
        await queue.source.send_dead_letter(received, {"reason": "not JSON", "attempts": 1})
    (dead_lettered,) = await dead.receive(10, wait=5)
    assert (dead_lettered.body, dead_lettered.group, dead_lettered.deduplication_id) == (
        "poison",
        "g",
        received.id,
    )
    assert dead_lettered.attributes["RequestMethod"] == "new_job"
    assert dead_lettered.raw_attributes["Bytes"]["BinaryValue"] == b"\x00\xff"
    assert json.loads(dead_lettered.attributes[NAME]) == {"reason": "not JSON", "attempts": 1}
    assert await queue.source.delete([received]) == [EntryOutcome.DONE]


async def test_a_message_of_maximum_size_is_dead_lettered_without_evidence(party: Party) -> None:
    dead = await party.queue({"MaximumMessageSize": "1024"})
    queue = await party.queue({"MaximumMessageSize": "1024"}, dead=dead)
    await queue.describe()
    await queue.send("a" * 1024)
    (received,) = await queue.receive(wait=5)
    await queue.source.send_dead_letter(received, {"reason": "too much"})
    (dead_lettered,) = await dead.receive(wait=5)
    assert (len(dead_lettered.body), dead_lettered.attributes) == (1024, {})


async def test_a_message_with_ten_attributes_is_dead_lettered_without_evidence(party: Party) -> None:
    dead = await party.queue()
    queue = await party.queue(dead=dead)
    await queue.describe()
    own = {f"a{number}": {"DataType": "String", "StringValue": "1"} for number in range(10)}
    await queue.send("a", attributes=own)
    (received,) = await queue.receive(wait=5)
    await queue.source.send_dead_letter(received, {"reason": "bad"})
    (dead_lettered,) = await dead.receive(wait=5)
    assert set(dead_lettered.attributes) == set(own)


async def test_a_dead_letter_keeps_the_trace_header(party: Party) -> None:
    dead = await party.queue()
    queue = await party.queue(dead=dead)
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    await queue.send("a", trace=header)
    (received,) = await queue.receive(wait=5)
    assert received.trace == header
    await queue.source.send_dead_letter(received, {"reason": "bad"})
    (dead_lettered,) = await dead.receive(wait=5)
    assert dead_lettered.trace == header


async def test_only_a_dead_letter_that_sqs_moved_names_its_source(
    party: Party,
) -> None:
    dead = await party.queue()
    queue = await party.queue(dead=dead, max_receives=1)
    for body in ("sent", "moved"):
        await queue.send(body)
        (received,) = await queue.receive(wait=5)
        assert received.moved_from is None
        if body == "sent":
            await queue.source.send_dead_letter(received, {"reason": "bad"})
            await queue.source.delete([received])
        else:
            await queue.source.hide([received], 0)
            await queue.receive()
        (dead_lettered,) = await dead.receive(wait=5)
        assert (dead_lettered.body, bool(dead_lettered.moved_from)) == (body, body == "moved")
        await dead.source.delete([dead_lettered])


async def test_a_message_over_the_size_limit_of_the_dead_letter_queue_is_refused_as_too_large(
    party: Party,
) -> None:
    dead = await party.queue({"MaximumMessageSize": "1024"})
    queue = await party.queue(dead=dead)
    facts = await queue.describe()
    assert facts.dead_letter_takes_less
    await queue.send("a" * 1025)
    (received,) = await queue.receive(wait=5)
    with pytest.raises(SourceError) as error:
        await queue.source.send_dead_letter(received, {"reason": "bad"})
    assert error.value.kind == "too_large"


async def test_dead_lettering_without_a_dead_letter_queue_fails_as_missing(party: Party) -> None:
    queue = await party.queue()
    await queue.send("a")
    (received,) = await queue.receive(wait=5)
    with pytest.raises(SourceError) as error:
        await queue.source.send_dead_letter(received, {"reason": "bad"})
    assert error.value.kind == "missing"
