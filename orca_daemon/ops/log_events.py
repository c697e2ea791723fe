"""Writes the engine's events to the log: one line for each message that left, with all its facts.

Warnings mean that something is tried again, errors that it is lost or given up, so alarms can count errors.
"""

from collections.abc import Mapping
from typing import Any

import structlog

from orca_daemon.engine.events import (
    Attempted,
    BreakerChanged,
    Drain,
    Event,
    Extended,
    NotificationAbandoned,
    Paused,
    Polled,
    Settled,
    SettlementFailed,
)
from orca_daemon.engine.verdict import reason
from orca_daemon.ops import logs, settled_lines
from orca_daemon.ops.settled_lines import RESERVED

LEVELS: Mapping[str, str] = {
    "deleted": "info",
    "released": "info",
    "duplicate": "info",
    "hidden": "warning",
    "lease_lost": "warning",
    "dead_lettered": "error",
}
MOST_IDS = 10
_log: Any = structlog.get_logger()


def observe(event: Event) -> None:
    """Log the event if operators need it."""
    match event:
        case Settled():
            _settled(event)
        case Attempted() if event.outcome != "done":
            _attempted(event)
        case Polled() if event.outcome in {"error", "throttled"}:
            _log.warning("poll.failed", queue=event.queue, outcome=event.outcome, reason=event.reason)
        case Extended() if event.outcome != "done":
            _log.warning("lease.not_extended", queue=event.queue, outcome=event.outcome, count=event.count)
        case SettlementFailed():
            _not_settled(event)
        case BreakerChanged():
            write = _log.warning if event.open else _log.info
            name = "dependency.down" if event.open else "dependency.up"
            place = {"place": event.place} if event.place else {}
            write(name, dependency=event.dependency, **place, reason=event.reason)
        case NotificationAbandoned():
            _log.error(
                "notification.abandoned",
                queue=event.queue,
                message_id=event.envelope.id,
                reason=event.reason,
            )
        case Paused():
            _log.warning("intake.paused" if event.paused else "intake.resumed")
        case Drain():
            _log.info(
                f"drain.{event.phase}",
                held=event.held,
                running=event.running,
                seconds=round(event.seconds, 3),
            )
        case _:
            pass


def _settled(event: Settled) -> None:
    level, sink = LEVELS.get(event.outcome, "warning"), logs.sink()
    if sink is None or sink.stamp is None:
        _settled_by_structlog(event, level)
    elif sink.takes(level):
        if line := settled_lines.line(event, level, sink.stamp.now()):
            sink.write(line)
        else:
            _settled_by_structlog(event, level)


def _settled_by_structlog(event: Settled, level: str) -> None:
    envelope = event.envelope
    facts: dict[str, Any] = {
        **{f"message_{name}" if name in RESERVED else name: fact for name, fact in event.facts.items()},
        "queue": event.queue,
        "message_id": envelope.id,
        "attempts": event.attempts,
        "receives": envelope.receive_count,
        "held_seconds": round(event.held_seconds, 4),
        "work_seconds": round(event.work_seconds, 4),
        "lease_left": round(event.lease_left, 1),
    }
    if envelope.group is not None:
        facts["group_id"] = envelope.group
    if event.reason:
        facts["reason"] = event.reason
    if event.error:
        facts["error"] = event.error
    getattr(_log, level)(f"message.{event.outcome}", **facts)


def _attempted(event: Attempted) -> None:
    # Debug: `dependency.down` has a line of its own, and these attempts are charged to no message.
    write = _log.debug if event.outcome in {"down", "drained", "early", "ended"} else _log.warning
    write(
        f"attempt.{event.outcome}",
        queue=event.queue,
        message_ids=[envelope.id for envelope in event.envelopes[:MOST_IDS]],
        messages=len(event.envelopes),
        attempt=event.attempt,
        seconds=round(event.seconds, 4),
        **_error_fields(event.error),
    )


def _not_settled(event: SettlementFailed) -> None:
    write = _log.error if event.operation in {"dead_letter", "gave_up"} else _log.warning
    write(
        "settlement.failed",
        queue=event.queue,
        operation=event.operation,
        count=event.count,
        reason=event.reason,
    )


def _error_fields(error: BaseException | None) -> dict[str, str]:
    return {} if error is None else {"error": type(error).__name__, "reason": reason(error)}
