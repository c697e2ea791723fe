"""Remembers where pages begin, so that a page is read from there and not from the first row of its list.

ORCA's pages have numbers, and a number alone costs a walk over everything before it.  Whoever reads pages one
after another asks for the page whose beginning was seen a moment ago.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

LISTS = 64
"""Lists (filters) that are remembered."""
POSITIONS = 1_024
"""Positions of one list; beyond them, those of the old ones that are close to another are forgotten."""
_NEWEST = 128
"""Positions that are kept in any case, because somebody may read there now."""
LIFETIME = 900.0
"""Seconds after which a position is forgotten: rows that came or went since then make it wrong by as many."""

Cursor = tuple[Any, ...]
"""The values by which a list is ordered, of the last row before a position."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: after the row of this cursor (None: at the first row), then skip so many rows."""

    after: Cursor | None
    skip: int


@dataclass(slots=True)
class _List:
    """What is known of one list; the latest that was learned is the last of `cursors`."""

    cursors: dict[int, tuple[Cursor, float]] = field(default_factory=dict)
    """Number of rows before the position, to the cursor and when it was learned."""


class Positions:
    """Positions of the lists that were read lately; bounded, for one event loop.

    Every replica of the console has its own.  A page whose beginning is unknown is found from the nearest
    position before it, so the answer is the same and only slower.
    """

    def __init__(self) -> None:
        self._lists: OrderedDict[Hashable, _List] = OrderedDict()

    def start(self, of: Hashable, row: int, now: float) -> Start:
        """Where to begin in order to read from row number `row` (from 0) on."""
        known = self._lists.get(of)
        if known is None:
            return Start(None, row)
        self._lists.move_to_end(of)
        _forget_old(known, now)
        positions = sorted(known.cursors)
        index = bisect_right(positions, row)
        if index == 0:
            return Start(None, row)
        nearest = positions[index - 1]
        return Start(known.cursors[nearest][0], row - nearest)

    def learn(self, of: Hashable, row: int, cursor: Cursor, now: float) -> None:
        """Row number `row` follows the row of this cursor."""
        known = self._list(of)
        known.cursors.pop(row, None)
        known.cursors[row] = (cursor, now)
        _thin_out(known)

    def _list(self, of: Hashable) -> _List:
        known = self._lists.setdefault(of, _List())
        self._lists.move_to_end(of)
        if len(self._lists) > LISTS:
            self._lists.popitem(last=False)
        return known


def _forget_old(known: _List, now: float) -> None:
    # In the order in which they were learned, so the old ones come first.
    for row, (_, learned) in list(known.cursors.items()):
        if now - learned <= LIFETIME:
            break
        del known.cursors[row]


def _thin_out(known: _List) -> None:
    """Forget so many of too many positions that those left are spread evenly over the list."""
    if len(known.cursors) <= POSITIONS:
        return
    old = sorted(list(known.cursors)[:-_NEWEST])
    apart = (old[-1] - old[0]) // (POSITIONS // 2)
    last = None
    for row in old:
        if last is not None and row - last < apart:
            del known.cursors[row]
        else:
            last = row
