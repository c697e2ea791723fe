"""How many requests may wait for S3 at one time: more while it answers, half as many if it asks to slow down.

AWS recommends to begin with few parallel requests, to add more, and to back off at SlowDown, because S3 needs
minutes to spread a busy prefix (AWS: best practices design patterns, optimizing S3 performance).
"""

import math
from dataclasses import dataclass, field

LEAST, MOST = 32, 256
"""Requests at one time at the beginning and at most, if no setting limits them."""
APART = 1.0
"""Seconds in which all demands to slow down count as one: they were sent by requests of the same moment."""
_OURS = 0.5
"""Largest part of a request's time that may be ours."""


@dataclass(slots=True)
class Window:
    """A limit between `least` and `most`; its owner reports what happens.

    It grows as TCP's does: by one for each success, thus twofold in a round trip; after the first demand to
    slow down by one in a round trip.  It stops if this process is the one that is busy.
    """

    least: int = LEAST
    most: int = MOST
    _size: float = field(init=False)
    _slow_from: float = field(init=False)
    """The size from which it grows slowly."""
    _halved: float = field(init=False, default=-math.inf)
    """When it was last halved."""

    def __post_init__(self) -> None:
        self._size, self._slow_from = self.least, self.most

    @classmethod
    def up_to(cls, limit: int | None) -> "Window":
        """A window with a hard limit, or with the usual one."""
        most = limit or MOST
        return cls(min(LEAST, most), most)

    @property
    def size(self) -> int:
        """Requests that may wait at one time."""
        return int(self._size)

    def succeeded(self, used: int, took: float, lag: float) -> None:
        """A request succeeded.

        Args:
            used: how many were waiting; a window that is not full has no reason to grow.
            took: seconds from the request to the response.
            lag: seconds that a task of this process waits for its turn.  If responses wait for us for half of
                their time, more requests are no faster: they cost connections, and time of all other tasks.
        """
        if used >= self.size and lag < took * _OURS:
            step = 1.0 if self._size < self._slow_from else 1.0 / self._size
            self._size = min(self.most, self._size + step)

    def slow_down(self, now: float) -> None:
        """S3 asked to slow down; `now` is in seconds, by any clock."""
        if now - self._halved >= APART:
            self._halved = now
            self._size = self._slow_from = max(self.least, self._size / 2)
