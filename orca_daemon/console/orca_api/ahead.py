"""Rows that one pass over the catalog found ahead of time, for lists whose rows lie far apart.

A filter by time may choose few granules that are far apart in the order of names.  To walk from one to the
next takes seconds a page; to find tens of thousands of them by one pass and a sort takes hardly longer.
"""

from array import array
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from orca_daemon.console.orca_api.positions import LIFETIME
from orca_daemon.console.orca_api.requests import PAGE

ROWS = 50_000
"""Rows that are found by one pass; whole pages."""
LISTS = 16
"""Lists of which rows are kept: 400 kB each at most."""


@dataclass(frozen=True, slots=True)
class Found:
    """The ids of the rows of one page, and whether there are more."""

    rows: Sequence[int]
    another: bool


@dataclass(frozen=True, slots=True)
class _Stretch:
    first: int
    """Number of the first row within the list."""
    rows: "array[int]"
    complete: bool
    """Whether the list ends with these."""
    learned: float


class RowsAhead:
    """The stretch of rows that was found last, of each list that was read lately; for one event loop."""

    def __init__(self) -> None:
        self._stretches: OrderedDict[Hashable, _Stretch] = OrderedDict()

    def page(self, of: Hashable, row: int, now: float) -> Found | None:
        """The page that begins with row number `row`; None if it is not known."""
        stretch = self._stretches.get(of)
        if stretch is None or now - stretch.learned > LIFETIME or row < stretch.first:
            return None
        self._stretches.move_to_end(of)
        begin = row - stretch.first
        if begin >= len(stretch.rows):
            return Found((), another=False) if stretch.complete else None
        end = begin + PAGE
        return Found(stretch.rows[begin:end], end < len(stretch.rows) or not stretch.complete)

    def learn(self, of: Hashable, first: int, rows: Sequence[int], *, complete: bool, now: float) -> None:
        """These rows are the list from row number `first` on; whole pages, unless the list ends with them."""
        self._stretches[of] = _Stretch(first, array("q", rows), complete, now)
        self._stretches.move_to_end(of)
        if len(self._stretches) > LISTS:
            self._stretches.popitem(last=False)
