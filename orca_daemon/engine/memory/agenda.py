"""Moments at which something is due, by key; O(log n) however many were set and dropped again."""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

SLACK = 64
"""Dead entries that are not worth a sweep."""


class Agenda:
    """At most one moment per key.  Entries that were dropped are swept when they are the greater part."""

    def __init__(self) -> None:
        self._moments: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._moments)

    def set(self, key: int, moment: float) -> None:
        """Make `key` due at `moment`, and at no other."""
        self._moments[key] = moment
        heappush(self._heap, (moment, key))
        self._sweep()

    def get(self, key: int) -> float | None:
        """When `key` is due."""
        return self._moments.get(key)

    def drop(self, key: int) -> None:
        """Make `key` due never."""
        if self._moments.pop(key, None) is not None:
            self._sweep()

    def due(self, now: float) -> Iterator[tuple[float, int]]:
        """Every key whose moment has come, once, in order of the moments."""
        while self._heap and self._heap[0][0] <= now:
            moment, key = heappop(self._heap)
            if self._moments.get(key) == moment:
                del self._moments[key]
                yield moment, key

    def next(self) -> float | None:
        """The earliest moment, if there is any."""
        while self._heap:
            moment, key = self._heap[0]
            if self._moments.get(key) == moment:
                return moment
            heappop(self._heap)
        return None

    def _sweep(self) -> None:
        if len(self._heap) > SLACK + 2 * len(self._moments):
            self._heap = [(moment, key) for key, moment in self._moments.items()]
            heapify(self._heap)
