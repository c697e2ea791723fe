"""Attributes of a queue: checks the strings of the API, and converts them to options."""

import json
import re
from collections.abc import Mapping
from typing import Any

from orca_daemon.engine.memory import QueueOptions, RequestRefusedError
from orca_daemon.engine.memory.errors import invalid

FIFO = ".fifo"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
_NUMBERS = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1_024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
_CHOICES = {
    "SqsManagedSseEnabled": ("true", "false"),
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_FIFO_ONLY = frozenset(
    {"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"}
)
_TEXTS = frozenset({"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"})
DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}
FIFO_DEFAULTS = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}


def check_name(name: str, given: Mapping[str, str]) -> bool:
    """Refuse an invalid name; returns whether it is the name of a FIFO queue."""
    fifo = name.endswith(FIFO)
    if not _NAME.match(name.removesuffix(FIFO)) or len(name) > 80:  # noqa: PLR2004  as in the expression
        raise invalid(
            "QueueName",
            name,
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    if given.get("FifoQueue") == "false":
        raise RequestRefusedError("InvalidAttributeName", "Unknown Attribute FifoQueue.")
    if fifo != (given.get("FifoQueue") == "true"):
        raise invalid("QueueName", name, "A FIFO queue has the attribute FifoQueue and the suffix .fifo.")
    return fifo


def check(given: Mapping[str, Any], *, fifo: bool, new: bool) -> dict[str, str]:
    """The attributes as strings.

    Raises:
        RequestRefusedError: an attribute is unknown, not allowed for this type of queue or after creation, or
            its value is invalid.
    """
    for name, value in given.items():
        if name not in _NUMBERS | _CHOICES and name not in _TEXTS | _FIFO_ONLY:
            raise RequestRefusedError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if name in _FIFO_ONLY and (not fifo or (name == "FifoQueue" and not new and value != "true")):
            raise RequestRefusedError(
                "InvalidAttributeName", f"You can specify {name} only for a FIFO queue, at creation."
            )
        if not _fits(name, str(value)):
            raise RequestRefusedError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
    return {name: str(value) for name, value in given.items()}


def _fits(name: str, value: str) -> bool:
    if name in _NUMBERS:
        least, most = _NUMBERS[name]
        return value.isdecimal() and least <= int(value) <= most
    return name not in _CHOICES or value in _CHOICES[name]


def options(attributes: Mapping[str, str], *, fifo: bool) -> QueueOptions:
    """The options of a queue with these attributes, which must be complete."""
    scope = attributes.get("DeduplicationScope")
    if attributes.get("FifoThroughputLimit") == "perMessageGroupId" and scope != "messageGroup":
        raise RequestRefusedError(
            "InvalidAttributeValue", "perMessageGroupId needs the DeduplicationScope messageGroup."
        )
    return QueueOptions(
        fifo=fifo,
        visibility=int(attributes["VisibilityTimeout"]),
        delay=int(attributes["DelaySeconds"]),
        retention=int(attributes["MessageRetentionPeriod"]),
        wait=int(attributes["ReceiveMessageWaitTimeSeconds"]),
        max_size=int(attributes["MaximumMessageSize"]),
        content_deduplication=attributes.get("ContentBasedDeduplication") == "true",
        deduplication_per_group=attributes.get("DeduplicationScope") == "messageGroup",
    )


def redrive(policy: str) -> tuple[str, int]:
    """Name of the dead-letter queue and the number of receives in a redrive policy."""
    try:
        parsed = json.loads(policy)
        arn, receives = str(parsed["deadLetterTargetArn"]), int(parsed["maxReceiveCount"])
    except (ValueError, KeyError, TypeError) as error:
        raise invalid("RedrivePolicy", policy, "Redrive policy is not a valid JSON map.") from error
    if not 1 <= receives <= 1000:  # noqa: PLR2004  the sentence explains it
        raise invalid("RedrivePolicy", policy, "maxReceiveCount must be from 1 to 1000.")
    return arn.rpartition(":")[2], receives
