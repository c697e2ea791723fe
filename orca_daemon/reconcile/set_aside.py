"""Sets aside what is the same in listing and catalog, so that `compare.sql` joins only the few other rows.

Rows are the same if the hashes of key and content are.  These are of 64 bits: one of a million rows that
differ is taken for one of ten million others once in two million comparisons.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orca_daemon.reconcile.copied_hashes import as_batch
from orca_daemon.reconcile.parts import CONTENT, KEY, Numbers
from orca_daemon.reconcile.server_hash import Hashes

_ROW, _PLACE = 32, 9
"""Bytes of a row of the catalog, with what is beside it while others are sought; of a place in the table."""
_FULLEST = 0.75
"""The part of a table's places that may be taken: in a fuller one, free places are far apart."""
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""An odd number without a pattern: products with it differ in their first bits, too."""
_SPARSE, _SPARSE_BITS = 64, 20
"""A table of few hashes has so many times as many places, up to 8 MiB: nearly all others find a free one."""
_BLOCK = 65_536
"""Hashes that are added at one time."""


class CollidedError(Exception):
    """Two rows of the catalog have the same hashes."""


class Table:
    """A set of hashes, in which many are looked up at one time.

    With linear probing: a hash is in the first free place from that which `_first` names.

    Args:
        bits: binary logarithm of the number of places.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self.places = np.zeros(1 << bits, np.uint64)
        """0 is a free place."""

    @classmethod
    def of(cls, hashes: Hashes) -> "Table":
        """A table of these."""
        sparse = min((_SPARSE * len(hashes)).bit_length(), _SPARSE_BITS)
        table = cls(max(sparse, int(len(hashes) / _FULLEST).bit_length()))
        table.add(hashes)
        return table

    def add(self, hashes: Hashes) -> None:
        """Add hashes; there must be room for them."""
        for start in range(0, len(hashes), _BLOCK):
            self._add(hashes[start : start + _BLOCK])

    def _add(self, hashes: Hashes) -> None:
        wanted = np.maximum(hashes, np.uint64(1))
        at = self._first(wanted)
        while len(wanted):
            there = self._at(at)
            # Of several that find the same place free, the last one has it.
            self.places[at] = np.where(there == 0, wanted, there)
            left = np.flatnonzero(self._at(at) != wanted)
            at, wanted = self._next(at[left]), wanted[left]

    def find(self, hashes: Hashes) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Whether each hash is in the table, and its place if it is."""
        wanted = np.maximum(hashes, np.uint64(1))
        at = self._first(wanted)
        there = self._at(at)
        found = there == wanted
        left = np.flatnonzero(~found & (there != 0))
        while len(left):
            at[left] = self._next(at[left])
            there = self._at(at[left])
            same = there == wanted[left]
            found[left[same]] = True
            left = left[~same & (there != 0)]
        return found, at

    def _at(self, places: npt.NDArray[np.int64]) -> Hashes:
        # All are in the table; "clip" does not check that first.
        return self.places.take(places, mode="clip")

    def _first(self, hashes: Hashes) -> npt.NDArray[np.int64]:
        # Of the product, because all keys of a part begin with the same bits.  Two shifts, because one of all
        # 64 bits, for a table of one place, is undefined.
        spread = hashes * _SPREAD
        spread >>= np.uint64(1)
        spread >>= np.uint64(63 - self._bits)
        return spread.view(np.int64)

    def _next(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return (places + 1) & (len(self.places) - 1)


def room(memory: int) -> int:
    """The most rows of a catalog that fit into this memory, in bytes."""
    places = 1 << _bits(memory)
    return min(int(places * _FULLEST), max(memory - places * _PLACE, 0) // _ROW)


def _bits(memory: int) -> int:
    return max(int(memory / (_PLACE + _ROW * _FULLEST)).bit_length() - 1, 1)


class Catalogued:
    """The hashes of a catalog in memory, in which those of a listing are looked up.

    Args:
        memory: bytes that it may take.
    """

    def __init__(self, memory: int) -> None:
        self._table, self._most = Table(_bits(memory)), room(memory)
        self._nowhere = len(self._table.places)
        self._met = np.zeros(self._nowhere + 1, np.bool_)
        """Of each place, whether its hash was found; beyond the last one, what was not found."""
        self._blocks: list[Numbers] = []
        self._rows = 0
        self.fits = True
        """Whether all rows so far are in the table."""
        self.same = 0
        """Rows of the listing that were set aside."""

    def add(self, rows: Numbers) -> None:
        """Add rows of the catalog, as `copied_hashes` has them."""
        self._blocks.append(rows)
        self._rows += len(rows)
        self.fits = self.fits and self._rows <= self._most
        if self.fits:
            self._table.add(_of_rows(rows))

    def pop(self) -> list[Numbers]:
        """All rows so far, which leave the memory with the table."""
        del self._table, self._met
        blocks, self._blocks = self._blocks, []
        return blocks

    def others(self, listing: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of a listing that are not the same in the catalog, and those that are odd."""
        for batch in listing:
            keys, contents = (batch.column(name).to_numpy() for name in ("key_hash", "content_hash"))
            odd = batch.column("odd").is_valid().to_numpy(zero_copy_only=False)
            yield batch.take(pa.array(self.differing(keys, contents, odd)))

    def differing(self, keys: Hashes, contents: Hashes, odd: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Which rows of a listing are not the same in the catalog, or are odd; the others are set aside."""
        same, places = self._table.find(_together(keys, contents))
        same &= ~odd
        differing = np.flatnonzero(~same)
        places[differing] = self._nowhere
        self._met[places] = True
        self.same += len(keys) - len(differing)
        return differing

    def rest(self, keys: Hashes) -> list[pa.RecordBatch]:
        """The catalog's rows that `differing` has not met, and those with these keys, which are of its rows.

        A key that is listed twice, once as in the catalog, meets its row again, so that both are counted.

        Raises:
            CollidedError: two rows have the same hashes.
        """
        taken = self._table.places != 0
        if np.count_nonzero(taken) != self._rows:
            raise CollidedError
        unmet = self._table.places[taken & ~self._met[:-1]]
        blocks, rest = self.pop(), []
        # One table after the other: if nearly all rows differ, each is as large as that of the catalog.
        table = Table.of(unmet)
        wanted = [table.find(_of_rows(block))[0] for block in blocks]
        del unmet, table
        table = Table.of(keys)
        while blocks:
            block = blocks.pop()
            kept = wanted.pop() | table.find(block[:, KEY])[0]
            rest.append(as_batch(block if kept.all() else block[kept]))
        return rest


def _of_rows(rows: Numbers) -> Hashes:
    return _together(rows[:, KEY], rows[:, CONTENT])


def _together(keys: Hashes, contents: Hashes) -> Hashes:
    """One hash for key and content."""
    hashes: Hashes = contents * _SPREAD
    hashes += keys
    return hashes
