"""Postgres's hash of texts, over arrays: a listing is compared by the hashes that Postgres computes.

The function is `hashtextextended`: Bob Jenkins's lookup3 (https://burtleburtle.net/bob/c/lookup3.c) with a
seed of 64 bits.  Postgres cannot change it, because hash partitions are made by it; `hash_agreement` asks it
still.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Hashes = npt.NDArray[np.uint64]
_Words = npt.NDArray[np.uint32]
_Numbers = npt.NDArray[np.int64]

_ROWS = 32_768
"""Texts that are hashed at one time: their state fits into the processor's cache."""
_START = 0x9E3779B9 + 3923095
"""Start of the state of a text without bytes."""
_BLOCK = 12
"""Bytes that are mixed at one time, as three words."""
_MIX = ((0, 2, 1, 4), (1, 0, 2, 6), (2, 1, 0, 8), (0, 2, 1, 16), (1, 0, 2, 19), (2, 1, 0, 4))
_FINAL = ((2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24))
"""The steps of lookup3: places in the state, and bits by which a word is rotated."""
_LOW_BYTES = np.array([0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF], np.uint32)
"""Masks of the first bytes of a word, by their number."""
_QUOTE = ord('"')


def hashes(texts: pa.StringArray, seeds: Hashes, *, quotes: bool = False) -> Hashes:
    """The hash of each text.

    Args:
        texts: their bytes are hashed; nulls are empty.
        seeds: one for each text; none is 0, which has another meaning in Postgres.
        quotes: whether texts that are not in double quotes are hashed as if they were.
    """
    found = np.empty(len(texts), np.uint64)
    if not len(texts):
        return found
    data, starts, lengths = _parts(texts)
    even = bool(lengths.min() == lengths.max())
    if quotes:
        marked = (data[starts] == _QUOTE) & (lengths > 0)
        if not even or marked.any():
            return hashes(_quoted(texts, marked), seeds)
        starts, lengths = starts - 1, lengths + 2
    # The longest first, so that those with another block are the first rows of the state.
    order = slice(None) if even else np.argsort(lengths, kind="stable")[::-1]
    starts, lengths, seeds = starts[order], lengths[order].astype(np.int64), seeds[order]
    hashed = np.empty(len(texts), np.uint64)
    for first in range(0, len(texts), _ROWS):
        rows = slice(first, first + _ROWS)
        blocks = _Blocks(data=data, starts=starts[rows], length=int(lengths[0]), even=even, quotes=quotes)
        hashed[rows] = _hash(blocks, lengths[rows], seeds[rows])
    found[order] = hashed
    return found


def _quoted(texts: pa.StringArray, marked: npt.NDArray[np.bool_]) -> pa.StringArray:
    """The same texts in quotes, but those that are `marked` as they are."""
    texts = texts.fill_null("")
    return pc.if_else(pa.array(marked), texts, pc.binary_join_element_wise('"', texts, '"', ""))


def _parts(texts: pa.StringArray) -> tuple[npt.NDArray[np.uint8], _Numbers, npt.NDArray[Any]]:
    """Bytes of all texts, with room for quotes and a block around them; where each begins, and its length."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    first, last = int(ends[0]), int(ends[-1])
    copy = np.empty(1 + last - first + 1 + _BLOCK, np.uint8)
    copy[-1 - _BLOCK :] = 0
    if data is not None:
        copy[1 : -1 - _BLOCK] = np.frombuffer(data, np.uint8)[first:last]
    lengths = np.diff(ends)
    if lengths.max() < (1 << 15) - 2:  # quotes may be added
        # Short numbers are sorted by their digits, in a quarter of the time.
        return copy, ends[:-1].astype(np.int64) - (first - 1), lengths.astype(np.int16)
    return copy, ends[:-1].astype(np.int64) - (first - 1), lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocks:
    """The bytes of some texts, in the order of falling length, as blocks of three words."""

    data: npt.NDArray[np.uint8]
    starts: _Numbers
    length: int
    """Bytes of the first text."""
    even: bool
    """Whether all have this length, and follow one another."""
    quotes: bool
    """Whether the first and the last byte of each stand for quotes; only if they are even."""

    def words(self, block: int, rows: int) -> _Words:
        """This block of each of the first texts."""
        if not self.even:
            return self._gathered(self.starts[:rows] + block * _BLOCK)
        start, step = int(self.starts[0]) + block * _BLOCK, self.length - 2 * self.quotes
        words: _Words = np.ndarray((rows, 3), np.uint32, self.data, start, (step, 4))
        places = [place - block * _BLOCK for place in (0, self.length - 1)] if self.quotes else []
        if any(0 <= place < _BLOCK for place in places):
            words = words.copy()
            for place in places:
                if 0 <= place < _BLOCK:
                    words.view(np.uint8)[:, place] = _QUOTE
        return words

    def rest(self, blocks: _Numbers) -> _Words:
        """The block after these numbers of blocks of each text."""
        if self.even:
            return self.words(int(blocks[0]), len(blocks))
        return self._gathered(self.starts + blocks * _BLOCK)

    def _gathered(self, places: _Numbers) -> _Words:
        size = len(self.data) - _BLOCK + 1
        blocks: npt.NDArray[Any] = np.ndarray((size,), f"V{_BLOCK}", self.data, strides=(1,))
        return blocks[places].view(np.uint32).reshape(len(places), 3)


def _hash(texts: _Blocks, lengths: _Numbers, seeds: Hashes) -> Hashes:
    rows, blocks = len(lengths), lengths // _BLOCK
    state = np.empty((3, rows), np.uint32)
    state[:] = (lengths + _START).astype(np.uint32)
    state[0] += (seeds >> np.uint64(32)).astype(np.uint32)
    state[1] += seeds.astype(np.uint32)
    _mix(state)
    for block in range(int(blocks[0])):
        having = rows if blocks[-1] > block else int(np.count_nonzero(blocks > block))
        part, words = state[:, :having], texts.words(block, having)
        for place in range(3):
            part[place] += words[:, place]
        _mix(part)
    words, rest = texts.rest(blocks), lengths[: 1 if texts.even else rows] % _BLOCK
    # The lowest byte of the third word belongs to the length.
    for place, shift in enumerate((0, 0, 8)):
        last = words[:, place] & _LOW_BYTES[np.clip(rest - 4 * place, 0, 4)]
        state[place] += last << np.uint32(shift)
    _end(state)
    found: Hashes = (state[1].astype(np.uint64) << np.uint64(32)) | state[2]
    return found


def _mix(state: _Words) -> None:
    turned, other = np.empty_like(state[0]), np.empty_like(state[0])
    for first, second, third, bits in _MIX:
        state[first] -= state[second]
        state[first] ^= _rotated(state[second], bits, turned, other)
        state[second] += state[third]


def _end(state: _Words) -> None:
    turned, other = np.empty_like(state[0]), np.empty_like(state[0])
    for first, second, bits in _FINAL:
        state[first] ^= state[second]
        state[first] -= _rotated(state[second], bits, turned, other)


def _rotated(words: _Words, bits: int, into: _Words, other: _Words) -> _Words:
    np.left_shift(words, np.uint32(bits), out=into)
    np.right_shift(words, np.uint32(32 - bits), out=other)
    return np.bitwise_or(into, other, out=into)
