"""How many bytes of bodies one queue may hold, and how many more messages of the usual size fit."""

_WEIGHT = 1 / 16
"""Of the latest body in the usual size, which follows what arrives."""
_FEWEST = 10
"""Receives wait until one part in so many is free, because small receives cost as much as others."""


class BodyBudget:
    """Counts the bodies in flight of one queue.

    The sizes of messages that a receive will bring are not known: they are taken to be of the usual size.  So
    the limit may be exceeded by as much as the messages of one receive are larger.  A message that alone is
    larger is received when no other is in flight.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._usual = 0.0
        self.held = 0
        """Bytes in flight."""

    def add(self, size: int) -> None:
        """A body of so many bytes came."""
        self._usual = self._usual + (size - self._usual) * _WEIGHT if self._usual else float(size)
        self.held += size

    def remove(self, size: int) -> None:
        """It left."""
        self.held -= size

    def fits(self, reserved: int) -> int:
        """How many more messages fit, if `reserved` are on their way; one always does if there is none."""
        fitting = int((self._limit - self.held) / self._size) - reserved
        return fitting if self.held or reserved else max(fitting, 1)

    def full(self, reserved: int, least: int) -> bool:
        """Whether receives of at least `least` messages have to wait, because too few fit."""
        return self.fits(reserved) < min(least, max(1, int(self._limit / self._size) // _FEWEST))

    @property
    def _size(self) -> float:
        return max(self._usual, 1.0)
