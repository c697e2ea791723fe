"""Adds the ids of the span at work to log lines, so that a line leads to its trace."""

from typing import Any

from opentelemetry.trace import get_current_span
from structlog.typing import EventDict

from orca_daemon.ops.tracing.runs import ids_of

_OF_A_MESSAGE = "message."
"""These lines have the ids among their facts.  They are written where a delete ended, which runs share."""


def add_ids(_: Any, __: str, event: EventDict) -> EventDict:
    """Add `trace_id` and `span_id`, as a processor of structlog."""
    ids = ids_of(get_current_span().get_span_context())
    if ids and not str(event.get("event")).startswith(_OF_A_MESSAGE):
        for name, value in ids.items():
            event.setdefault(name, value)
    return event
