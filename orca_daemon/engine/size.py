"""How SQS counts the size of a message (AWS: message quotas)."""

from collections.abc import Mapping
from typing import TypeAlias

Attributes: TypeAlias = Mapping[str, Mapping[str, object]]
"""Message attributes by name, in the shape that SendMessage takes; binary values are bytes."""
MOST_ATTRIBUTES = 10
LARGEST = 1_048_576
"""Bytes of a message, and of all messages of one batch (AWS: SendMessageBatch, API reference)."""


def size(body: str, attributes: Attributes) -> int:
    """Bytes that count against the limit: body, and name, type and value of each attribute."""
    total = len(body) if body.isascii() else len(body.encode())
    for name, attribute in attributes.items():
        total += attribute_size(name, attribute)
    return total


def attribute_size(name: str, attribute: Mapping[str, object]) -> int:
    """Bytes of one attribute."""
    value = value_of(attribute)
    data = value if isinstance(value, bytes) else str(value).encode()
    return len(name.encode()) + len(str(attribute.get("DataType", ""))) + len(data)


def value_of(attribute: Mapping[str, object]) -> object:
    """The value, a string or bytes; None if there is neither."""
    string = attribute.get("StringValue")
    return attribute.get("BinaryValue") if string is None else string
