"""Sets aside what is the same in listing and catalog, so that `compare.sql` joins only the few other rows.

Rows are the same if the hashes of key and content are.  These are of 64 bits: one of a million rows that
differ is taken for one of ten million others once in two million comparisons.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orca_daemon.reconcile.server_hash import Hashes

_ROW, _PLACE = 33, 9
"""Bytes of a row of the catalog, with what is beside it while others are sought; of a place in the table."""
_FULLEST = 0.75
"""The part of the table's places that may be taken: in a fuller one, free places are far apart."""
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""An odd number without a pattern: two hashes are added, and neither may cancel the other."""
_LARGEST_FILTER = 26
"""Binary logarithm of the places of the largest filter: 64 MiB."""


class CollidedError(Exception):
    """Two rows of the catalog have the same hashes."""


def room(memory: int) -> int:
    """The most rows of a catalog that fit into this memory, in bytes."""
    places = 1 << _bits(memory)
    return min(int(places * _FULLEST), max(memory - places * _PLACE, 0) // _ROW)


def _bits(memory: int) -> int:
    """Binary logarithm of the places of the table."""
    return max(int(memory / (_PLACE + _ROW * _FULLEST)).bit_length() - 1, 1)


class Catalogued:
    """The hashes of a catalog in memory, in which those of a listing are looked up.

    They are in a table with linear probing: a hash is in the first free place from that of its first bits.

    Args:
        memory: bytes that it may take.
    """

    def __init__(self, memory: int) -> None:
        self._bits = _bits(memory)
        places = 1 << self._bits
        self._table = np.zeros(places, np.uint64)
        """0 is a free place."""
        self._met = np.zeros(places, np.bool_)
        self._batches: list[pa.RecordBatch] = []
        self._keys: list[Hashes] = []
        self._most = room(memory)
        self.rows = 0
        self.fits = True
        """Whether all rows so far are in the table."""
        self.same = 0
        """Rows of the listing that were set aside."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows of the catalog: `id`, `recent`, `key_hash` and `content_hash`."""
        self._batches.append(batch)
        self.rows += batch.num_rows
        self.fits = self.fits and self.rows <= self._most
        if not self.fits:
            return
        wanted = _of_rows(batch)
        places = self._first(wanted)
        while len(wanted):
            there = self._table.take(places)
            free = there == 0
            self._table[places[free]] = wanted[free]
            # Of several that found the same place free, the last one has it.
            there[free] = self._table.take(places[free])
            left = there != wanted
            places, wanted = self._next(places[left]), wanted[left]

    def pop(self) -> list[pa.RecordBatch]:
        """All rows so far, which leave the memory."""
        del self._table, self._met
        batches, self._batches = self._batches, []
        return batches

    def others(self, listing: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of a listing that are not the same in the catalog, and those that are odd."""
        for batch in listing:
            others, hashes = np.ones(batch.num_rows, np.bool_), _of_rows(batch)
            if batch.column("odd").null_count == batch.num_rows:
                others = ~self._meet(hashes)
            else:
                compared = batch.column("odd").is_null().to_numpy(zero_copy_only=False)
                others[compared] = ~self._meet(hashes[compared])
            rest = batch.filter(pa.array(others))
            self.same += batch.num_rows - rest.num_rows
            self._keys.append(rest.column("key_hash").to_numpy())
            yield rest

    def rest(self) -> list[pa.RecordBatch]:
        """The catalog's rows that `others` has not met, and those with a key of its rows; call it afterwards.

        A key that is listed twice, once as in the catalog, meets its row again, so that both are counted.

        Raises:
            CollidedError: two rows have the same hashes.
        """
        if np.count_nonzero(self._table) != self.rows:
            raise CollidedError
        unmet = _Filter(self._table[(self._table != 0) & ~self._met])
        keys = _Filter(np.concatenate([*self._keys, np.empty(0, np.uint64)]))
        batches, rest = self.pop(), []
        while batches:
            batch = batches.pop()
            wanted = unmet.has(_of_rows(batch)) | keys.has(batch.column("key_hash").to_numpy())
            rest.append(batch.filter(pa.array(wanted)))
        return rest

    def _meet(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Whether each hash is in the catalog; marks its row."""
        places = self._first(hashes)
        there = self._table.take(places)
        met: npt.NDArray[np.bool_] = there == hashes
        self._met[places[met]] = True
        left = np.flatnonzero(~met & (there != 0))
        places = places[left]
        while len(left):
            places = self._next(places)
            there = self._table.take(places)
            same = there == hashes[left]
            met[left[same]] = True
            self._met[places[same]] = True
            going = ~same & (there != 0)
            left, places = left[going], places[going]
        return met

    def _first(self, hashes: Hashes) -> npt.NDArray[np.int64]:
        return (hashes >> np.uint64(64 - self._bits)).astype(np.int64)

    def _next(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return (places + 1) & (len(self._table) - 1)


class _Filter:
    """Some hashes; most others are ruled out by a table before they are sought."""

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = np.unique(hashes)
        bits = min(max((64 * len(hashes)).bit_length(), 1), _LARGEST_FILTER)
        self._mask = np.uint64((1 << bits) - 1)
        self._table = np.zeros(1 << bits, np.bool_)
        self._table[self._hashes & self._mask] = True

    def has(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Whether each of these is one of them."""
        found: npt.NDArray[np.bool_] = self._table[hashes & self._mask]
        maybe = hashes[found]
        if len(maybe):
            places = np.searchsorted(self._hashes, maybe)
            found[found] = self._hashes[np.minimum(places, len(self._hashes) - 1)] == maybe
        return found


def _of_rows(batch: pa.RecordBatch) -> Hashes:
    """One hash for key and content, which is never 0."""
    keys, contents = (batch.column(name).to_numpy() for name in ("key_hash", "content_hash"))
    hashes: Hashes = keys + contents * _SPREAD
    return np.maximum(hashes, np.uint64(1))
