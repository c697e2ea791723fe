"""What SQS accepts as a message: characters, attributes, size."""

import re
from collections.abc import Mapping

from orca_daemon.engine.memory.errors import RequestRefusedError, invalid, missing
from orca_daemon.engine.size import MOST_ATTRIBUTES, Attributes, size, value_of

LONGEST_NAME = 256
LONGEST_ID = 128

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")
_TYPE = re.compile(r"(String|Number|Binary)(?:\..+)?\Z")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z")
_ID = re.compile(r"[!-~]{1,128}\Z")


def check(body: str, attributes: Attributes, largest: int) -> None:
    """Refuse what SQS does not store (AWS: SendMessage, message quotas)."""
    if not body:
        raise missing("MessageBody")
    if _FORBIDDEN.search(body):
        raise RequestRefusedError(
            "InvalidMessageContents", "The message contains characters outside the allowed set."
        )
    if len(attributes) > MOST_ATTRIBUTES:
        raise invalid("MessageAttributes", len(attributes), f"There can be {MOST_ATTRIBUTES} attributes.")
    for name, attribute in attributes.items():
        check_attribute(name, attribute)
    if size(body, attributes) > largest:
        raise RequestRefusedError(
            "InvalidParameterValue",
            f"One or more parameters are invalid. Reason: Message must be shorter than {largest} bytes.",
        )


def check_attribute(name: str, attribute: Mapping[str, object]) -> None:
    """Refuse an attribute that SQS does not take (AWS: message attributes, components and data types)."""
    lower = name.lower()
    if not _NAME.match(name) or len(name) > LONGEST_NAME or lower.startswith(("aws.", "amazon.")):
        raise invalid("MessageAttributeName", name, "The name of a message attribute is invalid.")
    kind = _TYPE.match(str(attribute.get("DataType", "")))
    if not kind:
        raise invalid("MessageAttributes", name, "The type must begin with String, Number or Binary.")
    value = value_of(attribute)
    if not value or isinstance(value, bytes) is not (kind[1] == "Binary"):
        raise invalid("MessageAttributes", name, f"It must contain a non-empty {kind[1]} value.")
    if isinstance(value, str) and _FORBIDDEN.search(value):
        raise invalid("MessageAttributes", name, "It contains characters outside the allowed set.")
    if kind[1] == "Number" and not _NUMBER.match(str(value)):
        raise invalid("MessageAttributes", name, "The value cannot be cast to a number.")


def check_id(parameter: str, value: str) -> None:
    """Refuse a group, deduplication or attempt id that is empty, too long or has odd characters."""
    if not _ID.match(value):
        raise invalid(parameter, value, f"It must have 1 to {LONGEST_ID} alphanumerical characters or signs.")
