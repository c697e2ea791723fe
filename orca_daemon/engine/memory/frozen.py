"""A queue's messages as JSON values, for a file."""

from base64 import b64decode, b64encode
from typing import Any

from orca_daemon.engine.memory.stored import State, Stored
from orca_daemon.engine.size import Attributes

_PLAIN = (
    "id",
    "sequence",
    "body",
    "group",
    "deduplication_id",
    "trace",
    "sent_at",
    "receipt",
    "receive_count",
    "first_received_at",
    "received_at",
    "modified",
    "came_from",
)


def freeze(message: Stored, hidden_until: float | None) -> dict[str, Any]:
    """One message; `hidden_until` is the end of its delay or lease."""
    return {
        **{name: getattr(message, name) for name in _PLAIN},
        "attributes": {name: _text(value) for name, value in message.attributes.items()},
        "state": message.state.value,
        "hidden_until": hidden_until,
    }


def thaw(frozen: dict[str, Any]) -> tuple[Stored, float | None]:
    """What `freeze` was given."""
    attributes: Attributes = {name: _value(value) for name, value in frozen["attributes"].items()}
    plain = {name: frozen[name] for name in _PLAIN}
    message = Stored(**plain, attributes=attributes, state=State(frozen["state"]))
    return message, frozen["hidden_until"]


def _text(attribute: Any) -> dict[str, str]:
    binary = attribute.get("BinaryValue")
    return attribute if binary is None else {**attribute, "BinaryValue": b64encode(binary).decode()}


def _value(attribute: dict[str, Any]) -> dict[str, object]:
    binary = attribute.get("BinaryValue")
    return attribute if binary is None else {**attribute, "BinaryValue": b64decode(binary)}
