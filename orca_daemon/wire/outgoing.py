"""A message to send: exactly the bytes and attributes that ORCA's own producers send."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from orca_daemon.wire.times import format_time

LARGEST_MESSAGE = 262_144
"""Bytes of body and attributes together that ORCA's queues accept (their `MaximumMessageSize`)."""
INTERNAL_REPORT_GROUP = "general_group"
"""The message group of ORCA's own producers on the internal-report queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message to send.  `group` and `deduplication_id` are for FIFO queues only."""

    body: str
    group: str | None = None
    deduplication_id: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    """String attributes by name."""

    @property
    def size(self) -> int:
        """Bytes as SQS counts them: body, and name, type and value of each attribute."""
        attributes = sum(
            len(name.encode()) + len("String") + len(value.encode())
            for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + attributes

    def parameters(self) -> dict[str, Any]:
        """The message as keyword arguments of SendMessage, and as an entry of SendMessageBatch."""
        sent: dict[str, Any] = {"MessageBody": self.body}
        if self.group is not None:
            sent["MessageGroupId"] = self.group
        if self.deduplication_id is not None:
            sent["MessageDeduplicationId"] = self.deduplication_id
        if self.attributes:
            sent["MessageAttributes"] = {
                name: {"DataType": "String", "StringValue": value} for name, value in self.attributes.items()
            }
        return sent


def dump(document: object) -> str:
    """Write JSON as ORCA does; deduplication ids are hashes of exactly this text.

    Members of enumerations become their values, and datetimes become ORCA time.

    Raises:
        TypeError: it holds a value of another type that JSON does not have.
        ValueError: it holds a datetime without a time zone, or contains itself.
    """
    return json.dumps(document, default=_json_value)


def _json_value(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if not isinstance(value, datetime):
        raise TypeError(f"a message cannot hold a value of the type {type(value).__name__}")
    if value.tzinfo is None:
        raise ValueError("a message cannot hold a time without its zone")
    return format_time(value)


def digest(body: str) -> str:
    """SHA-256 of the body's bytes, in lower-case hexadecimal."""
    return hashlib.sha256(body.encode()).hexdigest()


def md5(body: str) -> str:
    """The `MD5OfMessageBody` that SQS has to return for this body."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
