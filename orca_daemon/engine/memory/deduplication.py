"""What a FIFO queue has accepted in the last five minutes, whether or not it is still there."""

from collections import deque
from hashlib import sha256

from orca_daemon.engine.memory.stored import SentMessage

INTERVAL = 300.0
"""Seconds (AWS: SendMessage, MessageDeduplicationId)."""


class Deduplication:
    """Deduplication ids of sends, with the answer that the sender got."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], SentMessage] = {}
        self._ends: deque[tuple[float, tuple[str, str]]] = deque()

    def find(self, scope: str, id_: str, now: float) -> SentMessage | None:
        """The send of the same id, if it is not five minutes ago; `scope` is a group or empty."""
        while self._ends and self._ends[0][0] <= now:
            del self._known[self._ends.popleft()[1]]
        return self._known.get((scope, id_))

    def add(self, scope: str, id_: str, sent: SentMessage, now: float) -> None:
        """Remember a send."""
        self._known[scope, id_] = sent
        self._ends.append((now + INTERVAL, (scope, id_)))

    def entries(self) -> list[tuple[float, str, str, SentMessage]]:
        """All that is remembered: end, scope, id and what was sent."""
        return [(end, scope, id_, self._known[scope, id_]) for end, (scope, id_) in self._ends]

    def restore(self, entries: list[tuple[float, str, str, SentMessage]]) -> None:
        """Restore what `entries` returned."""
        for end, scope, id_, sent in entries:
            self._known[scope, id_] = sent
            self._ends.append((end, (scope, id_)))


def content_id(body: str) -> str:
    """The deduplication id that a queue gives by content: of the body, not of the attributes."""
    return sha256(body.encode()).hexdigest()
