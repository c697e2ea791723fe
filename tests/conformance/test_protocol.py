"""Behaviour that only the wire protocol has: batches, digests, errors, administration (SQS API reference)."""

import asyncio
from hashlib import md5, sha256
from struct import pack
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orca_daemon.engine.errors import SourceError
from tests.conformance.parties import ARRIVAL, FIFO, TRIES, Http, OverHttp, Party, RefusalError, raise_refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")
TEXT = {"DataType": "String", "StringValue": "é"}
BYTES = {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"}


async def over_http(party: Party, attributes: dict[str, str] | None = None, **more: Any) -> OverHttp:
    assert isinstance(party, Http)
    return await party.queue(attributes or {}, **more)


async def code_of(call: Any) -> str:
    with pytest.raises(RefusalError) as refused:
        await raise_refusal(call)
    return refused.value.code


async def test_the_entry_ids_of_a_batch_must_differ(party: Party, client: Any) -> None:
    queue = await over_http(party)
    entries = [{"Id": "0", "MessageBody": body} for body in "ab"]
    call = client.send_message_batch(QueueUrl=queue.url, Entries=entries)
    assert await code_of(call) == "BatchEntryIdsNotDistinct"
    await queue.send("a")
    (received,) = await queue.receive(wait=5)
    handles = [{"Id": "0", "ReceiptHandle": received.receipt}] * 2
    call = client.delete_message_batch(QueueUrl=queue.url, Entries=handles)
    assert await code_of(call) == "BatchEntryIdsNotDistinct"


async def test_a_batch_has_one_to_ten_entries(party: Party, client: Any) -> None:
    queue = await over_http(party)
    assert await code_of(client.send_message_batch(QueueUrl=queue.url, Entries=[])) == "EmptyBatchRequest"
    entries = [{"Id": str(number), "MessageBody": "a"} for number in range(11)]
    call = client.send_message_batch(QueueUrl=queue.url, Entries=entries)
    assert await code_of(call) == "TooManyEntriesInBatchRequest"


async def test_an_entry_id_of_a_batch_has_no_space(party: Party, client: Any) -> None:
    queue = await over_http(party)
    call = client.send_message_batch(QueueUrl=queue.url, Entries=[{"Id": "a b", "MessageBody": "a"}])
    assert await code_of(call) == "InvalidBatchEntryId"


@pytest.mark.filterwarnings("ignore:Sending a large body")  # aiohttp advises its own caller
async def test_a_batch_over_a_mebibyte_in_total_is_refused(party: Party, client: Any) -> None:
    queue = await over_http(party)
    entries = [{"Id": str(number), "MessageBody": "a" * 300_000} for number in range(4)]
    call = client.send_message_batch(QueueUrl=queue.url, Entries=entries)
    assert await code_of(call) == "BatchRequestTooLong"


async def test_a_bad_entry_of_a_batch_fails_alone(party: Party, client: Any) -> None:
    queue = await over_http(party, FIFO)
    entries = [
        {"Id": "good", "MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "1"},
        {"Id": "bad", "MessageBody": "b", "MessageGroupId": "g"},
    ]
    response = await client.send_message_batch(QueueUrl=queue.url, Entries=entries)
    assert [each["Id"] for each in response["Successful"]] == ["good"]
    assert [(each["Id"], each["SenderFault"]) for each in response["Failed"]] == [("bad", True)]


async def test_digests_are_those_of_body_and_attributes(party: Party, client: Any) -> None:
    queue = await over_http(party)
    attributes = {"b": BYTES, "a": TEXT}
    sent = await client.send_message(QueueUrl=queue.url, MessageBody="é", MessageAttributes=attributes)
    body = md5("é".encode(), usedforsecurity=False).hexdigest()
    expected = md5(usedforsecurity=False)
    for part in (b"a", b"String", b"\x01", "é".encode(), b"b", b"Binary.png", b"\x02", b"\x00\xff"):
        expected.update(part if part in {b"\x01", b"\x02"} else pack(">I", len(part)) + part)
    assert (sent["MD5OfMessageBody"], sent["MD5OfMessageAttributes"]) == (body, expected.hexdigest())
    response = await client.receive_message(
        QueueUrl=queue.url, MessageAttributeNames=["All"], WaitTimeSeconds=5
    )
    (received,) = response["Messages"]
    assert (received["MD5OfBody"], received["MD5OfMessageAttributes"]) == (body, expected.hexdigest())


async def test_a_receive_returns_the_requested_attributes_only(party: Party, client: Any) -> None:
    queue = await over_http(party)
    attributes = dict.fromkeys(("one", "group.a", "group.b", "other"), TEXT)
    await queue.send("a", attributes=attributes)
    response = await client.receive_message(
        QueueUrl=queue.url,
        MessageAttributeNames=["one", "group.*"],
        MessageSystemAttributeNames=["SentTimestamp"],
        WaitTimeSeconds=5,
    )
    (received,) = response["Messages"]
    assert set(received["MessageAttributes"]) == {"one", "group.a", "group.b"}
    assert set(received["Attributes"]) == {"SentTimestamp"}


async def test_a_receive_that_requests_no_attributes_returns_none(party: Party, client: Any) -> None:
    queue = await over_http(party)
    await queue.send("a", attributes={"one": TEXT})
    response = await client.receive_message(QueueUrl=queue.url, WaitTimeSeconds=5)
    (received,) = response["Messages"]
    assert not {"Attributes", "MessageAttributes", "MD5OfMessageAttributes"} & set(received)


async def test_the_trace_header_is_delivered(party: Party, client: Any) -> None:
    queue = await over_http(party)
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-67891233-abcdef"}}
    await client.send_message(QueueUrl=queue.url, MessageBody="a", MessageSystemAttributes=header)
    response = await client.receive_message(
        QueueUrl=queue.url, MessageSystemAttributeNames=["All"], WaitTimeSeconds=5
    )
    assert response["Messages"][0]["Attributes"]["AWSTraceHeader"].startswith("Root=1-")


async def test_a_dead_letter_names_the_queue_that_it_was_moved_from(party: Party, client: Any) -> None:
    assert isinstance(party, Http)
    dead = await over_http(party)
    queue = await over_http(party, dead=dead, max_receives=1)
    await queue.send("poison")
    (received,) = await queue.receive(wait=5)
    await queue.source.hide([received], 0)
    await queue.receive()
    response = await client.receive_message(
        QueueUrl=dead.url, MessageSystemAttributeNames=["DeadLetterQueueSourceArn"], WaitTimeSeconds=5
    )
    assert response["Messages"][0]["Attributes"]["DeadLetterQueueSourceArn"] == await party.arn(queue)
    listed = await client.list_dead_letter_source_queues(QueueUrl=dead.url)
    assert listed["queueUrls"] == [queue.url]


async def test_content_based_deduplication_ids_are_the_sha_256_of_the_body(party: Party, client: Any) -> None:
    queue = await over_http(party, {**FIFO, "ContentBasedDeduplication": "true"})
    await queue.send("é", group="g")
    (received,) = await queue.receive(wait=5)
    assert received.deduplication_id == sha256("é".encode()).hexdigest()


async def test_a_receive_of_eleven_messages_is_refused(party: Party, client: Any) -> None:
    queue = await over_http(party)
    call = client.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=11)
    assert await code_of(call) == "InvalidParameterValue"


async def test_a_receive_with_a_wait_over_twenty_seconds_is_refused(party: Party, client: Any) -> None:
    queue = await over_http(party)
    call = client.receive_message(QueueUrl=queue.url, WaitTimeSeconds=21)
    assert await code_of(call) == "InvalidParameterValue"


async def test_a_receive_without_a_wait_time_uses_the_queues(party: Party, client: Any) -> None:
    queue = await over_http(party, {"ReceiveMessageWaitTimeSeconds": "20"})
    poll = asyncio.create_task(client.receive_message(QueueUrl=queue.url))
    await asyncio.wait([poll], timeout=ARRIVAL)
    await queue.send("a")
    assert len((await poll)["Messages"]) == 1


async def test_an_invented_handle_is_invalid(party: Party, client: Any) -> None:
    queue = await over_http(party)
    call = client.delete_message(QueueUrl=queue.url, ReceiptHandle="nonsense")
    assert await code_of(call) == "ReceiptHandleIsInvalid"


async def test_a_missing_queue_has_the_error_codes_of_the_query_and_the_json_protocol(
    party: Party, client: Any
) -> None:
    with pytest.raises(ClientError) as error:
        await client.get_queue_url(QueueName="no-such-queue")
    assert error.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert type(error.value).__name__ == "QueueDoesNotExist"


async def test_a_receive_from_a_deleted_queue_fails_as_missing(party: Party, client: Any) -> None:
    queue = await over_http(party)
    await client.delete_queue(QueueUrl=queue.url)
    with pytest.raises(SourceError) as error:
        await queue.receive()
    assert error.value.kind == "missing"


async def test_a_long_poll_fails_if_its_queue_is_deleted(party: Party, client: Any) -> None:
    """AWS only says that requests fail within 60 seconds of the deletion; on our server they fail at once."""
    for _ in range(TRIES):
        queue = await over_http(party)
        poll = asyncio.create_task(queue.receive(wait=3))
        await asyncio.wait([poll], timeout=ARRIVAL)
        await client.delete_queue(QueueUrl=queue.url)
        with pytest.raises(SourceError):
            await poll


async def test_creating_a_queue_again_with_the_same_attributes_returns_it(party: Party, client: Any) -> None:
    queue = await over_http(party, {"VisibilityTimeout": "77"})
    name = queue.url.rpartition("/")[2]
    again = await client.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "77"})
    assert again["QueueUrl"] == queue.url
    call = client.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "78"})
    assert await code_of(call) == "QueueNameExists"


async def test_the_name_of_a_fifo_queue_ends_in_fifo(party: Party, client: Any) -> None:
    assert await code_of(client.create_queue(QueueName="plain", Attributes=FIFO)) == "InvalidParameterValue"


async def test_queue_attributes_out_of_range_are_refused(party: Party, client: Any) -> None:
    queue = await over_http(party)
    for name, value in (("VisibilityTimeout", "43201"), ("DelaySeconds", "901"), ("MaximumMessageSize", "9")):
        call = client.set_queue_attributes(QueueUrl=queue.url, Attributes={name: value})
        assert await code_of(call) == "InvalidAttributeValue"


async def test_changed_queue_attributes_take_effect(party: Party, client: Any) -> None:
    queue = await over_http(party)
    await client.set_queue_attributes(QueueUrl=queue.url, Attributes={"VisibilityTimeout": "1"})
    await queue.send("a")
    await client.receive_message(QueueUrl=queue.url, WaitTimeSeconds=5)
    (received,) = await queue.receive(wait=5)
    assert received.receive_count == 2


async def test_a_dead_letter_queue_must_be_of_the_same_type(party: Party, client: Any) -> None:
    dead = await over_http(party)
    with pytest.raises(RefusalError):
        await over_http(party, FIFO, dead=dead)


async def test_a_purged_queue_is_empty(party: Party, client: Any) -> None:
    queue = await over_http(party)
    for body in "ab":
        await queue.send(body)
    await queue.receive(1, wait=5, lease=1)
    await client.purge_queue(QueueUrl=queue.url)
    assert await queue.receive(wait=2) == []


async def test_queues_are_listed_by_prefix(party: Party, client: Any) -> None:
    queue = await over_http(party)
    name = queue.url.rpartition("/")[2]
    response = await client.list_queues(QueueNamePrefix=name[:20])
    assert response["QueueUrls"] == [queue.url]
    assert (await client.get_queue_url(QueueName=name))["QueueUrl"] == queue.url


async def test_tags_can_be_added_and_removed(party: Party, client: Any) -> None:
    queue = await over_http(party)
    await client.tag_queue(QueueUrl=queue.url, Tags={"a": "1", "b": "2"})
    await client.untag_queue(QueueUrl=queue.url, TagKeys=["a"])
    assert (await client.list_queue_tags(QueueUrl=queue.url))["Tags"] == {"b": "2"}


async def test_a_message_move_task_returns_dead_letters_to_their_queue(party: Party, client: Any) -> None:
    assert isinstance(party, Http)
    dead = await over_http(party)
    queue = await over_http(party, dead=dead, max_receives=1)
    sent = await queue.send("poison")
    (received,) = await queue.receive(wait=5)
    await queue.source.hide([received], 0)
    await queue.receive()
    arn = await party.arn(dead)
    await client.start_message_move_task(SourceArn=arn)
    (back,) = await queue.receive(wait=5)
    assert back.body == "poison"
    assert back.receive_count == 1
    assert back.id != sent.id
    (task,) = (await client.list_message_move_tasks(SourceArn=arn))["Results"]
    assert task["SourceArn"] == arn
