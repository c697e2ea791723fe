"""Converts messages and their attributes between JSON and the queue."""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable, Mapping
from typing import Any

from orca_daemon.engine.memory import Received, SentMessage
from orca_daemon.engine.memory.errors import invalid
from orca_daemon.engine.size import Attributes
from orca_daemon.local.sqs import digests

_SENDER = "AIDALOCALORCADAEMON"
_TRACE = "AWSTraceHeader"
_NO_ATTRIBUTES: Attributes = {}


def attributes(request: Mapping[str, Any]) -> Attributes:
    """The message attributes of a request, binary values as bytes."""
    given = request.get("MessageAttributes")
    if not given:
        return _NO_ATTRIBUTES
    return {name: _decoded(name, value) for name, value in given.items()}


def trace(request: Mapping[str, Any]) -> str | None:
    """The X-Ray header of a request; a sender may set no other system attribute."""
    given = request.get("MessageSystemAttributes") or {}
    for name in given:
        if name != _TRACE:
            raise invalid("MessageSystemAttributes", name, "It cannot be set by a sender.")
    return given[_TRACE].get("StringValue") if given else None


def sent(request: Mapping[str, Any], result: SentMessage, given: Attributes, *, fifo: bool) -> dict[str, Any]:
    """The answer to a send, or to one entry of a batch."""
    answer = {"MessageId": result.id, "MD5OfMessageBody": digests.of_body(request["MessageBody"])}
    if given:
        answer["MD5OfMessageAttributes"] = digests.of_attributes(given)
    if header := trace(request):
        system = {_TRACE: {"DataType": "String", "StringValue": header}}
        answer["MD5OfMessageSystemAttributes"] = digests.of_attributes(system)
    if fifo:
        answer["SequenceNumber"] = sequence_number(result.sequence)
    return answer


def received(
    delivery: Received, names: Iterable[str], system_names: frozenset[str], *, fifo: bool, source: str | None
) -> dict[str, Any]:
    """One message of the answer to a receive; `source` is the ARN of the queue that it was moved from."""
    message = delivery.message
    answer: dict[str, Any] = {
        "MessageId": message.id,
        "ReceiptHandle": delivery.receipt,
        "MD5OfBody": digests.of_body(message.body),
        "Body": message.body,
    }
    if message.attributes and (chosen := _chosen(message.attributes, names)):
        answer["MD5OfMessageAttributes"] = digests.of_attributes(chosen)
        answer["MessageAttributes"] = {name: _encoded(value) for name, value in chosen.items()}
    if system_names:
        everything = {
            "SenderId": _SENDER,
            "SentTimestamp": str(round(message.sent_at * 1000)),
            "ApproximateReceiveCount": str(delivery.receive_count),
            "ApproximateFirstReceiveTimestamp": str(round(delivery.first_received_at * 1000)),
            "MessageGroupId": message.group,
            "MessageDeduplicationId": message.deduplication_id,
            "SequenceNumber": sequence_number(message.sequence) if fifo else None,
            _TRACE: message.trace,
            "DeadLetterQueueSourceArn": source,
        }
        answer["Attributes"] = {
            name: value
            for name, value in everything.items()
            if value is not None and (name in system_names or "All" in system_names)
        }
    return answer


def sequence_number(sequence: int) -> str:
    """The number in SQS's form: twenty digits."""
    return f"{sequence:020d}"


def _chosen(all_: Attributes, names: Iterable[str]) -> Attributes:
    names = set(names)
    if "All" in names or ".*" in names:
        return all_
    prefixes = tuple(name[:-1] for name in names if name.endswith(".*"))
    return {name: value for name, value in all_.items() if name in names or name.startswith(prefixes)}


def _decoded(name: str, value: Mapping[str, Any]) -> dict[str, object]:
    decoded = {key: value[key] for key in ("DataType", "StringValue") if value.get(key) is not None}
    if value.get("BinaryValue") is not None:
        try:
            decoded["BinaryValue"] = b64decode(value["BinaryValue"], validate=True)
        except (Error, ValueError) as error:
            raise invalid("MessageAttributes", name, "The binary value is not in base 64.") from error
    return decoded


def _encoded(value: Mapping[str, object]) -> Mapping[str, object]:
    binary = value.get("BinaryValue")
    return {**value, "BinaryValue": b64encode(binary).decode()} if isinstance(binary, bytes) else value
