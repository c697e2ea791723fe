"""What the queue itself did, as values: the proof that invariants are checked against."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from orca_daemon.engine.memory.stored import SentMessage, Stored


class Happened(NamedTuple):
    """One change of one message.

    `what` is `sent`, `deduplicated` (a send that changed nothing), `received`, `replayed` (the same receive
    again, by its attempt id), `deleted`, `hidden` (by a receiver, for `seconds`; 0 gave it back), `lapsed`
    (its lease ran out), `shown` (its delay is over), `moved` (to the dead-letter queue), `retired` (older
    than the queue keeps messages), `purged`, `doubled` (delivered a second time on purpose) or `ignored` (a
    delete by an old handle of a standard queue, which succeeds and changes nothing).
    """

    at: float
    queue: str
    what: str
    message: str
    group: str | None
    sequence: int
    receive_count: int
    receipt: str = ""
    seconds: float = 0.0


Record: TypeAlias = Callable[[Happened], None]


class Recorder:
    """Tells of one queue, if anyone listens."""

    def __init__(self, queue: str, record: Record | None) -> None:
        self._queue = queue
        self._record = record

    def record(self, at: float, what: str, message: Stored, *, seconds: float = 0.0) -> None:
        """Something happened to a message."""
        if self._record is not None:
            about = (message.id, message.group, message.sequence, message.receive_count, message.receipt)
            self._record(Happened(at, self._queue, what, *about, seconds))

    def record_sent(self, at: float, what: str, sent: SentMessage, group: str | None) -> None:
        """Something happened that concerns a message which may be gone."""
        if self._record is not None:
            self._record(Happened(at, self._queue, what, sent.id, group, sent.sequence, 0))
