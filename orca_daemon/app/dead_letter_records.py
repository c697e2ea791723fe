"""Keeps the facts of dead letters until they are written to the database: best effort, never in the way."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from orca_daemon.db.dead_letters import SentDeadLetter
from orca_daemon.engine.events import Event, Settled, SettledOutcome
from orca_daemon.ops import shown

MOST = 10_000
"""Dead letters that wait to be written; beyond it the newest are left out."""
BATCH = 500
_LONG = 1_000


class DeadLetterRecords:
    """An observer of the engine's events, and a bounded buffer."""

    def __init__(
        self,
        left_out: Callable[[], None],
        *,
        most: int = MOST,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`left_out` counts what has no room."""
        self._left_out, self._most, self._wall = left_out, most, wall
        self.retentions: Mapping[str, float] = {}
        """By queue, the retention of its dead-letter queue in seconds, as far as it was read."""
        self._waiting: deque[SentDeadLetter] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def observe(self, event: Event) -> None:
        """Keep the facts of a dead letter."""
        if not isinstance(event, Settled) or event.outcome is not SettledOutcome.DEAD_LETTERED:
            return
        if len(self._waiting) >= self._most:
            self._left_out()
        else:
            self._waiting.append(self._row(event))

    def batch(self) -> list[SentDeadLetter]:
        """Some of the oldest; they stay until `written`."""
        return [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]

    def written(self, count: int) -> None:
        """So many of the oldest need not be kept any more."""
        for _ in range(count):
            self._waiting.popleft()

    def _row(self, event: Settled) -> SentDeadLetter:
        envelope, now = event.envelope, datetime.fromtimestamp(self._wall(), UTC)
        retention = self.retentions.get(event.queue)
        more = {
            "cause": str(event.cause or ""),
            "attempts": event.attempts,
            "receives": envelope.receive_count,
        }
        return SentDeadLetter(
            id=shown.text(event.dead_letter_id or envelope.id),
            original_id=shown.text(envelope.id),
            queue=shown.text(event.queue),
            group=None if envelope.group is None else shown.text(envelope.group),
            reason=shown.text(event.reason, _LONG),
            error_type=shown.text(event.error) if event.error else None,
            facts=shown.facts({**event.facts, **more}),
            at=now,
            expires_at=now + timedelta(seconds=retention) if retention else None,
        )
