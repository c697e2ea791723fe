"""Messages as SQS returns and takes them: conversion to and from `Envelope`, checks, MD5 digests."""

import hashlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from orca_daemon.engine import evidence as evidences
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.size import size
from orca_daemon.wire.outgoing import LARGEST_MESSAGE
from orca_daemon.wire.trace_context import TRACEPARENT, active, fitting

EVIDENCE = evidences.NAME
TRACE = "AWSTraceHeader"
SYSTEM_ATTRIBUTES = (
    "MessageGroupId",
    "SequenceNumber",
    "MessageDeduplicationId",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SentTimestamp",
    "DeadLetterQueueSourceArn",
    TRACE,
)
_REQUIRED = ("MessageId", "ReceiptHandle", "MD5OfBody")
_NUMBERS = ("ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "SentTimestamp", "SequenceNumber")
_MOST_DIGITS = 30
"""Sequence numbers have twenty."""


def envelope(message: Mapping[str, Any]) -> Envelope:
    """Convert one message of a response to ReceiveMessage."""
    system = message.get("Attributes") or {}
    raw = message.get("MessageAttributes") or {}
    return Envelope(
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message.get("Body", ""),
        attributes={name: value["StringValue"] for name, value in raw.items() if "StringValue" in value},
        raw_attributes=raw,
        group=system.get("MessageGroupId"),
        sequence=int(system.get("SequenceNumber", 0)),
        deduplication_id=system.get("MessageDeduplicationId"),
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        sent_at=int(system.get("SentTimestamp", 0)) / 1000,
        first_received_at=int(system.get("ApproximateFirstReceiveTimestamp", 0)) / 1000,
        trace=system.get(TRACE),
        moved_from=system.get("DeadLetterQueueSourceArn"),
    )


def own_attributes(envelope: Envelope) -> dict[str, Mapping[str, object]]:
    """The message's attributes as SendMessage takes them: responses have lists that requests may not have."""
    parts = {"DataType", "StringValue", "BinaryValue"}
    return {
        name: {key: part for key, part in value.items() if key in parts}
        for name, value in envelope.raw_attributes.items()
    }


def with_trace(
    body: str, attributes: Mapping[str, Mapping[str, object]]
) -> Mapping[str, Mapping[str, object]]:
    """The attributes with the active trace context, if there is one, none of the sender's, and room."""
    if TRACEPARENT in attributes or not (added := active()):
        return attributes
    free = LARGEST_MESSAGE - size(body, attributes)
    fits = fitting(added, attributes=len(attributes), free=free)
    return {**attributes, **{name: {"DataType": "String", "StringValue": fits[name]} for name in fits}}


def sendable(envelope: Envelope, attributes: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    """The parameters of a SendMessage that sends a received message again, with these attributes."""
    request: dict[str, Any] = {"MessageBody": envelope.body, "MessageAttributes": attributes}
    if envelope.group is not None:  # a standard queue may have groups, too: SQS's fair queues
        request["MessageGroupId"] = envelope.group
    if envelope.trace:
        request["MessageSystemAttributes"] = {TRACE: {"DataType": "String", "StringValue": envelope.trace}}
    return request


def damage(messages: Iterable[Any], *, fifo: bool) -> str | None:
    """Why one of these received messages cannot be trusted; None if all are intact."""
    digests: dict[str, str] = {}
    for message in messages:
        if reason := _damage(message, fifo=fifo):
            return reason
        if digests.setdefault(message["MessageId"], message["MD5OfBody"]) != message["MD5OfBody"]:
            return "two messages have one id"
    return None


def _damage(message: Any, *, fifo: bool) -> str | None:
    if not isinstance(message, Mapping):
        return "a message is not an object"
    for name in _REQUIRED:
        if not (isinstance(message.get(name), str) and message[name]):
            return f"a message has no {name}"
    body = message.get("Body", "")
    if not isinstance(body, str) or message["MD5OfBody"] != md5_of_body(body):
        return "a message has the MD5 of another body"
    return _system_damage(message.get("Attributes") or {}, fifo=fifo) or _attribute_damage(message)


def _system_damage(system: Any, *, fifo: bool) -> str | None:
    if not isinstance(system, Mapping):
        return "a message's attributes are not an object"
    if bad := next((name for name in _NUMBERS if not _is_number(system.get(name, "0"))), None):
        return f"a message's {bad} is not a number"
    if bad := next((name for name, value in system.items() if not isinstance(value, str)), None):
        return f"a message's {bad} is not a text"
    # Without its group, the message could not be ordered, and could not be sent to a FIFO dead-letter queue.
    return "a message of a FIFO queue has no group" if fifo and not system.get("MessageGroupId") else None


def _attribute_damage(message: Mapping[str, Any]) -> str | None:
    attributes = message.get("MessageAttributes") or {}
    expected = message.get("MD5OfMessageAttributes")
    if not (attributes or expected):
        return None
    try:
        digest = md5_of_attributes(attributes)
    except (AttributeError, KeyError, TypeError, ValueError):
        return "a message attribute cannot be read"
    return "a message has the MD5 of other attributes" if expected and expected != digest else None


def _is_number(text: Any) -> bool:
    return isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def md5_of_body(body: str) -> str:
    """The digest of a body."""
    return hashlib.md5(_bytes(body), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """The digest of message attributes (SQS Developer Guide: calculating the MD5 message digest).

    Raises:
        AttributeError, KeyError, TypeError, ValueError: these are not valid message attributes.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        binary = attribute["DataType"].partition(".")[0] == "Binary"
        value = _binary(attribute["BinaryValue"]) if binary else _bytes(attribute["StringValue"])
        for part in (_bytes(name), _bytes(attribute["DataType"])):
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update((b"\x02" if binary else b"\x01") + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _binary(value: bytes | str) -> bytes:
    return b64decode(value) if isinstance(value, str) else bytes(value)
