"""Sending many messages, ten to a call, with a result for each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orca_daemon.producer.queue import SendError, check_answer, check_body, sqs
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing

_MOST = 10
"""Entries of one SendMessageBatch (AWS: SQS quotas)."""

Numbered = tuple[int, Outgoing]


@dataclass(frozen=True, slots=True)
class Sent:
    """How one message of many ended."""

    index: int
    """Its place among the messages given, from 0."""
    message: Outgoing
    message_id: str | None
    """None when it was not taken."""
    error: str | None = None
    sender_fault: bool = False
    """Whether sending the same message again can only fail again."""


def send_batch(
    messages: Iterable[Outgoing], queue_url: str, *, client: Any = None, limit: int = LARGEST_MESSAGE
) -> Iterator[Sent]:
    """Send many messages, lazily and in order; the result has one entry for each of them.

    A failed entry may be sent again without fear of a duplicate on a FIFO queue (for five minutes), but then
    it comes after its successors.  Once a call fails as a whole, the rest is not sent, and is reported so.

    Args:
        messages: what to send.
        queue_url: the queue.
        client: a boto3 SQS client; by default one for the region in AWS_REGION.
        limit: bytes that one message, and one call, may have.
    """
    client = client or sqs()
    broken = False
    for chunk in _chunks(messages, limit):
        if broken:
            yield from _all(chunk, "not sent, because an earlier call failed")
        elif chunk[0][1].size > limit:
            yield from _all(chunk, f"has {chunk[0][1].size} bytes; the limit is {limit}", sender_fault=True)
        else:
            results, broken = _send(chunk, queue_url, client)
            yield from results


def _chunks(messages: Iterable[Outgoing], limit: int) -> Iterator[Sequence[Numbered]]:
    """Runs of messages that fit one call; one that is too large by itself comes alone."""
    chunk: list[Numbered] = []
    size = 0
    for index, message in enumerate(messages):
        if chunk and (len(chunk) == _MOST or size + message.size > limit):
            yield chunk
            chunk, size = [], 0
        chunk.append((index, message))
        size += message.size
    if chunk:
        yield chunk


def _send(chunk: Sequence[Numbered], queue_url: str, client: Any) -> tuple[list[Sent], bool]:
    """The results of one call, and whether it failed as a whole."""
    from botocore.exceptions import BotoCoreError, ClientError

    entries = [{"Id": str(place), **message.parameters()} for place, (_, message) in enumerate(chunk)]
    try:
        answer = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
        check_answer(answer)
    except (BotoCoreError, ClientError, SendError) as error:
        return list(_all(chunk, str(error))), True
    taken = {entry["Id"]: entry for entry in answer.get("Successful", ())}
    failed = {entry["Id"]: entry for entry in answer.get("Failed", ())}
    results = [
        _result(numbered, taken.get(str(place)), failed.get(str(place)))
        for place, numbered in enumerate(chunk)
    ]
    return results, False


def _result(numbered: Numbered, taken: Any, failed: Any) -> Sent:
    index, message = numbered
    if failed is not None:
        reason = f"{failed.get('Code', 'unknown')}: {failed.get('Message', 'no reason given')}"
        return Sent(index, message, None, reason, sender_fault=bool(failed.get("SenderFault")))
    if taken is None:
        return Sent(index, message, None, "SQS said nothing about it")
    try:
        check_body(message, taken)
    except SendError as error:
        return Sent(index, message, None, str(error))
    return Sent(index, message, taken["MessageId"])


def _all(chunk: Sequence[Numbered], error: str, *, sender_fault: bool = False) -> Iterator[Sent]:
    return (Sent(index, message, None, error, sender_fault) for index, message in chunk)
