"""Sending many messages, ten to a call, with a result for each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orca_daemon.producer.queue import SendError, answered, check_receipt, sqs
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing
from orca_daemon.wire.queue_url import normalised

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
        client: a boto3 SQS client; by default one for the region that the URL names, else AWS_REGION.
        limit: bytes that one message, and one call, may have.
    """
    queue_url = normalised(queue_url)
    client = client or sqs(queue_url)
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
        answer = answered(client.send_message_batch, QueueUrl=queue_url, Entries=entries)
    except (BotoCoreError, ClientError, SendError) as error:
        return list(_all(chunk, str(error))), True
    taken, failed = _by_place(answer, "Successful"), _by_place(answer, "Failed")
    results = [
        _result(numbered, taken.get(str(place), []), failed.get(str(place), []))
        for place, numbered in enumerate(chunk)
    ]
    return results, False


def _by_place(answer: Any, end: str) -> dict[Any, list[Any]]:
    """What the answer says of each entry that ended so; of one it may say nothing, or too much."""
    by_id: dict[Any, list[Any]] = {}
    for entry in answer.get(end) or ():
        by_id.setdefault((entry or {}).get("Id"), []).append(entry)
    return by_id


def _result(numbered: Numbered, taken: Sequence[Any], failed: Sequence[Any]) -> Sent:
    index, message = numbered
    if failed:
        reason = f"{failed[0].get('Code', 'unknown')}: {failed[0].get('Message', 'no reason given')}"
        return Sent(index, message, None, reason, sender_fault=bool(failed[0].get("SenderFault")))
    if len(taken) != 1:
        what = "several things" if taken else "nothing"
        return Sent(index, message, None, f"SQS said {what} about it")
    try:
        return Sent(index, message, check_receipt(message, taken[0]))
    except SendError as error:
        return Sent(index, message, None, str(error))


def _all(chunk: Sequence[Numbered], error: str, *, sender_fault: bool = False) -> Iterator[Sent]:
    return (Sent(index, message, None, error, sender_fault) for index, message in chunk)
