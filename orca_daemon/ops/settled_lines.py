"""Renders the JSON line of a message that left, in one pass: the same bytes as the processors of structlog.

Every message has such a line, and structlog takes more than twice as long for it.  What needs a processor's
care (a fact with the name of another field or of a secret, a value that is no text) is left to structlog.
"""

import math
from functools import lru_cache
from json.encoder import encode_basestring as quoted

from orca_daemon.engine.events import Settled
from orca_daemon.ops.log_lines import names_a_secret, without_secrets

RESERVED = frozenset({"event", "level", "timestamp", "exc_info", "stack_info", "exception"})
"""Names that every log line uses itself; a message's fact with such a name gets the prefix `message_`."""
_FIELDS = RESERVED | {
    "queue",
    "message_id",
    "attempts",
    "receives",
    "held_seconds",
    "work_seconds",
    "lease_left",
    "group_id",
    "reason",
    "error",
}


def line(event: Settled, level: str, timestamp: str) -> str | None:
    """The line, without its end; None if structlog has to render it.

    Args:
        event: the message.
        level: the line's level.
        timestamp: the time of the line.
    """
    keys = _keys(tuple(event.facts))
    held, work, left = event.held_seconds, event.work_seconds, event.lease_left
    if keys is None or not math.isfinite(held + work + left):
        return None
    envelope = event.envelope
    try:
        facts = "".join(
            [key + quoted(fact) + ", " for key, fact in zip(keys, event.facts.values(), strict=True)]
        )
        group = "" if envelope.group is None else f', "group_id": {quoted(envelope.group)}'
        reason = f', "reason": {quoted(event.reason)}' if event.reason else ""
        error = f', "error": {quoted(event.error)}' if event.error else ""
        rendered = (
            f'{{{facts}"queue": {quoted(event.queue)}, "message_id": {quoted(envelope.id)}, '
            f'"attempts": {event.attempts}, "receives": {envelope.receive_count}, '
            f'"held_seconds": {round(held, 4)}, "work_seconds": {round(work, 4)}, '
            f'"lease_left": {round(left, 1)}{group}{reason}{error}, '
            f'"event": "message.{event.outcome}", "level": "{level}", "timestamp": "{timestamp}"}}'
        )
    except TypeError:  # a fact that is no text
        return None
    return without_secrets(rendered)


@lru_cache(1024)
def _keys(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """The beginnings of the facts' members in the JSON object; None if one needs structlog."""
    if any(name in _FIELDS or names_a_secret(name) for name in names):
        return None
    return tuple(f"{quoted(name)}: " for name in names)
