"""The trace context of a message: the attributes `traceparent` and `tracestate` (W3C Trace Context).

Nothing here imports OpenTelemetry: a context can only be active if the program itself has imported it.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
MOST_ATTRIBUTES = 10
"""Message attributes that SQS delivers (AWS: SQS quotas)."""
_LONGEST_STATE = 512
"""Characters of `tracestate` that have to be passed on (W3C Trace Context, 3.3.1.5)."""
_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_XRAY = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24});Parent=([0-9a-f]{16})(?:;Sampled=([01]))?")


class SpanIds(NamedTuple):
    """A span of another process."""

    trace: int
    span: int
    flags: int
    """Bit 0: whether it was sampled."""


def parsed(traceparent: str) -> SpanIds | None:
    """The span that a `traceparent` names; None if it is malformed."""
    match = _PARENT.fullmatch(traceparent)
    if match is None or (match[1] == "00" and match[5]):
        return None
    return _valid(int(match[2], 16), int(match[3], 16), int(match[4], 16))


def of_xray(header: str) -> SpanIds | None:
    """The span that an `AWSTraceHeader` names (X-Ray: tracing header); None if it names none."""
    match = _XRAY.match(header)
    if match is None:
        return None
    return _valid(int(match[1] + match[2], 16), int(match[3], 16), int(match[4] or "0"))


def active() -> dict[str, str]:
    """The attributes for the span that is active in this task or thread; empty if there is none."""
    # Another thread may be in the middle of importing it.
    current: Any = getattr(sys.modules.get("opentelemetry.trace"), "get_current_span", None)
    if current is None:
        return {}
    context = current().get_span_context()
    if not context.is_valid:
        return {}
    flags = context.trace_flags & 1
    attributes = {TRACEPARENT: f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"}
    state = context.trace_state.to_header()
    return {**attributes, TRACESTATE: state} if 0 < len(state) <= _LONGEST_STATE else attributes


def fitting(added: Mapping[str, str], *, attributes: int, free: int) -> dict[str, str]:
    """What can be added to a message: everything, `traceparent` alone, or nothing.

    Args:
        added: attributes, as `active` returns them.
        attributes: number of attributes that the message has.
        free: bytes that the message may grow.
    """
    for part in (added, {name: value for name, value in added.items() if name == TRACEPARENT}):
        if attributes + len(part) <= MOST_ATTRIBUTES and Outgoing(body="", attributes=part).size <= free:
            return dict(part)
    return {}


def carrying(message: Outgoing, limit: int = LARGEST_MESSAGE) -> Outgoing:
    """The message with the active context, if there is one and it fits into `limit` bytes.

    A context that the message has already stays.  The body, and so the deduplication, is not touched.
    """
    added = active()
    if not added or TRACEPARENT in message.attributes:
        return message
    added = fitting(added, attributes=len(message.attributes), free=limit - message.size)
    return replace(message, attributes={**message.attributes, **added}) if added else message


def _valid(trace: int, span: int, flags: int) -> SpanIds | None:
    return SpanIds(trace, span, flags) if trace and span else None
