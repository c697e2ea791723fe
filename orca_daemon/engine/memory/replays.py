"""Receives of a FIFO queue that can be repeated by their attempt id."""

from collections import deque
from dataclasses import dataclass

from orca_daemon.engine.memory.errors import invalid
from orca_daemon.engine.memory.receipts import holds
from orca_daemon.engine.memory.stored import Received, State

INTERVAL = 300.0
"""Seconds (AWS: ReceiveMessage, ReceiveRequestAttemptId)."""


@dataclass(frozen=True, slots=True)
class _Past:
    ends: float
    deliveries: list[Received]
    modified: list[int]


class Replays:
    """Attempt ids of the last five minutes, with what each brought."""

    def __init__(self) -> None:
        self._past: dict[str, _Past] = {}
        self._ends: deque[tuple[float, str]] = deque()

    def remember(self, attempt_id: str, deliveries: list[Received], now: float) -> None:
        """Keep what a receive brought."""
        ends = now + INTERVAL
        self._past[attempt_id] = _Past(ends, deliveries, [each.message.modified for each in deliveries])
        self._ends.append((ends, attempt_id))

    def find(self, attempt_id: str, now: float) -> list[Received]:
        """The same deliveries again, while their leases hold; nothing where there is nothing to repeat.

        Raises:
            RequestRefusedError: one of the messages was deleted or had its visibility changed since.
        """
        while self._ends and self._ends[0][0] <= now:
            ends, old = self._ends.popleft()
            if (past := self._past.get(old)) and past.ends == ends:
                del self._past[old]
        past = self._past.get(attempt_id)
        if past is None:
            return []
        pairs = list(zip(past.deliveries, past.modified, strict=True))
        if any(each.message.state is State.GONE or each.message.modified != then for each, then in pairs):
            raise invalid("ReceiveRequestAttemptId", attempt_id, "Its messages were modified since.")
        leased = all(holds(each.message, each.receipt) for each in past.deliveries)
        return past.deliveries if leased else []
