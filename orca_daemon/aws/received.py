"""Whether the messages of a ReceiveMessage are whole, and MD5 digests as SQS makes them: pure decisions."""

import hashlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

_NUMBERS = ("ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "SentTimestamp", "SequenceNumber")
_MOST_DIGITS = 30
"""Sequence numbers have twenty."""
_TEXTS = ("MessageId", "ReceiptHandle", "MD5OfBody")


def not_whole(messages: Iterable[Any], *, fifo: bool) -> str | None:
    """What is wrong with the messages of a receive; None where nothing is."""
    digests: dict[str, str] = {}
    for message in messages:
        if flaw := _flaw(message, fifo=fifo):
            return flaw
        if digests.setdefault(message["MessageId"], message["MD5OfBody"]) != message["MD5OfBody"]:
            return "two messages have one id"
    return None


def _flaw(message: Any, *, fifo: bool) -> str | None:
    if not isinstance(message, Mapping):
        return "a message is not an object"
    for name in _TEXTS:
        if not _is_text(message.get(name)):
            return f"a message has no {name}"
    body = message.get("Body", "")
    if not isinstance(body, str) or message["MD5OfBody"] != md5_of_body(body):
        return "a message has the MD5 of another body"
    return _flaw_of_system(message.get("Attributes") or {}, fifo=fifo) or _flaw_of_attributes(message)


def _flaw_of_system(system: Mapping[str, Any], *, fifo: bool) -> str | None:
    if bad := next((name for name in _NUMBERS if not _is_number(system.get(name, "0"))), None):
        return f"a message's {bad} is not a number"
    if bad := next((name for name, value in system.items() if not isinstance(value, str)), None):
        return f"a message's {bad} is not a text"
    # Without its group it would wait with strangers, and no dead letter could be made of it.
    return "a message of a FIFO queue has no group" if fifo and not system.get("MessageGroupId") else None


def _flaw_of_attributes(message: Mapping[str, Any]) -> str | None:
    attributes = message.get("MessageAttributes") or {}
    try:
        digest = md5_of_attributes(attributes)
    except (AttributeError, KeyError, TypeError, ValueError):
        return "a message attribute cannot be read"
    said = message.get("MD5OfMessageAttributes")
    return "a message has the MD5 of other attributes" if said and said != digest else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(text: Any) -> bool:
    return isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def md5_of_body(body: str) -> str:
    """The digest of a body."""
    return hashlib.md5(_bytes(body), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """The digest of message attributes (SQS Developer Guide: calculating the MD5 message digest).

    Raises:
        AttributeError, KeyError, TypeError, ValueError: these are no message attributes.
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
