"""What one daemon is doing, as a small document: for its row in the database, and for `/state`."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orca_daemon import __version__
from orca_daemon.app.activity import Activity
from orca_daemon.app.pauses import Pauses
from orca_daemon.db.control import LARGEST_STATE
from orca_daemon.engine.engine import Engine
from orca_daemon.engine.state import EngineState, MessageState, QueueState
from orca_daemon.ops import shown
from orca_daemon.ops.work_in_progress import WorkInProgress

MOST_MESSAGES = 100
LARGEST_PAGE = 262_144
"""Bytes of `/state`: beyond it, messages are left out and counted."""
_MOST_WORK, _MOST_PLACES = 20, 20
_SLICE = 10
"""Messages that are described before the event loop gets its turn."""
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reporter:
    """Describes one daemon."""

    engine: Engine
    pauses: Pauses
    activity: Activity
    work: WorkInProgress
    retentions: Mapping[str, float] = field(default_factory=dict)
    """By queue, the seconds after which SQS deletes a message."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """By queue, about how many messages wait; as far as it was read."""
    wall: Callable[[], float] = time.time

    def row(self) -> str:
        """The state as JSON of at most `LARGEST_STATE` bytes.  Its rates are those since the last call."""
        rates = self.activity.rates()
        document = self._document(self.engine.state())
        document["queues"] = [each | rates.get(each["name"], {}) for each in document["queues"]]
        return json.dumps(fitted(document, LARGEST_STATE), ensure_ascii=False)

    async def page(self) -> str:
        """The state with the messages that are longest in flight, as JSON; built in slices."""
        now = asyncio.get_running_loop().time()
        oldest = self.engine.oldest_in_flight(MOST_MESSAGES)
        await asyncio.sleep(0)
        document = self._document(self.engine.state())
        document["messages"], room = [], LARGEST_PAGE - shown.size(document)
        for index, (consumer, message) in enumerate(oldest):
            if index % _SLICE == 0:
                await asyncio.sleep(0)
            described = message_document(consumer.describe(message), now)
            room -= shown.size(described) + 2
            if room < 0:
                break
            document["messages"].append(described)
        held = sum(queue["held"] for queue in document["queues"])
        document["messages_left_out"] = max(held - len(document["messages"]), 0)
        return json.dumps(document, ensure_ascii=False)

    def oldest_waiting(self, queue: str) -> float:
        """About when the oldest message that may wait on a paused queue was sent; 0 if none waits.

        Unix time.  If this daemon never read the queue, no message is known to be older than the pause.
        """
        if not self.pauses.causes(queue) or self.waiting.get(queue) == 0:
            return 0.0
        return self.activity.oldest_waiting(queue) or self.pauses.since(queue) or 0.0

    def _document(self, state: EngineState) -> Document:
        now = asyncio.get_running_loop().time()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "draining": state.draining,
            "paused": state.paused,
            "queues": [self._queue(queue, now) for queue in state.queues],
            "down": [
                {
                    "dependency": shown.text(name),
                    "seconds": round(now - since, 1),
                    "places": [shown.text(each) for each in state.places_down.get(name, ())[:_MOST_PLACES]],
                }
                for name, since in sorted(state.breakers.items())
                if since is not None
            ],
            "work": [
                {
                    "kind": work.kind,
                    "what": shown.text(work.what),
                    "since": datetime.fromtimestamp(work.since, UTC).isoformat(timespec="seconds"),
                    **work.facts,
                }
                for work in self.work.oldest(_MOST_WORK)
            ],
        }

    def _queue(self, queue: QueueState, now: float) -> Document:
        oldest = self.oldest_waiting(queue.name)
        return {
            "name": shown.text(queue.name),
            "handler": shown.text(queue.handler),
            "paused_by": self.pauses.causes(queue.name),
            "down": queue.breaker_open,
            "held": queue.held,
            "running": queue.running,
            "settling": queue.settling,
            "groups": queue.groups,
            "oldest_held_seconds": None if queue.oldest_held is None else round(now - queue.oldest_held, 1),
            "waiting": self.waiting.get(queue.name),
            "retention_seconds": self.retentions.get(queue.name),
            "oldest_waiting": round(oldest, 1) if oldest else None,
        }


def message_document(message: MessageState, now: float) -> Document:
    """One message as `/state` shows it, with the names of its log line; `now` is the monotonic clock's."""
    return {
        "queue": shown.text(message.queue),
        "message_id": shown.text(message.id),
        "group_id": None if message.group is None else shown.text(message.group),
        "phase": message.phase,
        "held_seconds": round(now - message.received, 3),
        "lease_left": round(message.lease_left, 1),
        "work_seconds": round(message.work_seconds, 3),
        "attempts": message.attempts,
        "receives": message.receives,
        "sent_at": round(message.sent_at, 3),
        "waits_for": shown.text(message.waits_for) or None,
        "reason": shown.text(message.reason) or None,
        "facts": shown.facts(message.facts),
    }


def fitted(document: Document, largest: int) -> Document:
    """The document without the last entries of its lists, as far as its size requires; `left_out` counts."""
    fitting = {**document, "left_out": 0}
    for name in ("work", "down", "queues"):
        fitting[name] = list(document[name])
        while fitting[name] and shown.size(fitting) > largest:
            fitting[name].pop()
            fitting["left_out"] += 1
    return fitting
