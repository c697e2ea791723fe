"""Sends many messages, ten per request, and returns a result for each of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orca_daemon.producer.queue import SendError, checked_call, confirmed_id, sqs
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing
from orca_daemon.wire.queue_url import normalised
from orca_daemon.wire.trace_context import carrying

_MOST = 10
"""Entries of one SendMessageBatch (AWS: SQS quotas)."""

Numbered = tuple[int, Outgoing]


@dataclass(frozen=True, slots=True)
class Sent:
    """The result of sending one message of many."""

    index: int
    """Index of the message in the input, from 0."""
    message: Outgoing
    message_id: str | None
    """The id that SQS gave to the message; None if it was not sent."""
    error: str | None = None
    """Why it was not sent."""
    sender_fault: bool = False
    """Whether the same message would fail again."""


def send_batch(
    messages: Iterable[Outgoing], queue_url: str, *, client: Any = None, limit: int = LARGEST_MESSAGE
) -> Iterator[Sent]:
    """Send many messages, lazily and in order, and yield one result for each of them.

    A failed message can be sent again: for five minutes a FIFO queue drops duplicates.  But then it comes
    after its successors.  If a request fails as a whole, the remaining messages are not sent, and their
    results say so.

    Args:
        messages: the messages.
        queue_url: URL of the queue.
        client: a boto3 SQS client; by default one for the region in the URL, else in AWS_REGION.
        limit: largest size in bytes of one message, and of all messages in one request.
    """
    queue_url = normalised(queue_url)
    client = client or sqs(queue_url)
    failed = False
    for chunk in _chunks(messages, limit):
        if failed:
            yield from _all(chunk, "not sent, because an earlier call failed")
        elif chunk[0][1].size > limit:
            yield from _all(chunk, f"has {chunk[0][1].size} bytes; the limit is {limit}", sender_fault=True)
        else:
            results, failed = _send(chunk, queue_url, client)
            yield from results


def _chunks(messages: Iterable[Outgoing], limit: int) -> Iterator[Sequence[Numbered]]:
    """Groups of messages that fit one request; a message over the limit is in a group of its own."""
    chunk: list[Numbered] = []
    size = 0
    for index, plain in enumerate(messages):
        message = carrying(plain, limit)
        if chunk and (len(chunk) == _MOST or size + message.size > limit):
            yield chunk
            chunk, size = [], 0
        chunk.append((index, message))
        size += message.size
    if chunk:
        yield chunk


def _send(chunk: Sequence[Numbered], queue_url: str, client: Any) -> tuple[list[Sent], bool]:
    """The results of one request, and whether it failed as a whole."""
    from botocore.exceptions import BotoCoreError, ClientError

    entries = [{"Id": str(index), **message.parameters()} for index, (_, message) in enumerate(chunk)]
    try:
        response = checked_call(client.send_message_batch, QueueUrl=queue_url, Entries=entries)
    except (BotoCoreError, ClientError, SendError) as error:
        return list(_all(chunk, str(error))), True
    sent, failed = _by_id(response, "Successful"), _by_id(response, "Failed")
    results = [
        _result(numbered, sent.get(str(index), []), failed.get(str(index), []))
        for index, numbered in enumerate(chunk)
    ]
    return results, False


def _by_id(response: Any, outcome: str) -> dict[Any, list[Any]]:
    """The results under this outcome by id.  A wrong response may have none, or several, for one entry."""
    by_id: dict[Any, list[Any]] = {}
    for entry in response.get(outcome) or ():
        by_id.setdefault((entry or {}).get("Id"), []).append(entry)
    return by_id


def _result(numbered: Numbered, sent: Sequence[Any], failed: Sequence[Any]) -> Sent:
    index, message = numbered
    if failed:
        reason = f"{failed[0].get('Code', 'unknown')}: {failed[0].get('Message', 'no reason given')}"
        return Sent(index, message, None, reason, sender_fault=bool(failed[0].get("SenderFault")))
    if len(sent) != 1:
        count = "several results" if sent else "no result"
        return Sent(index, message, None, f"SQS returned {count} for it")
    try:
        return Sent(index, message, confirmed_id(message, sent[0]))
    except SendError as error:
        return Sent(index, message, None, str(error))


def _all(chunk: Sequence[Numbered], error: str, *, sender_fault: bool = False) -> Iterator[Sent]:
    return (Sent(index, message, None, error, sender_fault) for index, message in chunk)
