"""Turns rows of the catalog, as Postgres copies them in its binary format, into Arrow, a column at a time.

Numbers and texts are cut out of all rows of a block at once.  The layout of a row is in the documentation of
COPY (Postgres, "File Formats: Binary Format"): the number of fields, then the length and the bytes of each.
"""

import sys
from array import array
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from orca_daemon.reconcile.binary_copy import UnreadableError, without_frame

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("size_in_bytes", pa.int64()),
        ("storage_class_id", pa.int16()),
        ("etag", pa.string()),
        ("key_path", pa.string()),
    ]
)
"""The fields of a row, in this order: those of a fixed length come first."""
_ID, _SIZE, _CLASS, _ETAG_LENGTH = (6, 14), (18, 26), (30, 32), (32, 36)
"""Places of the fields."""
_ETAG = 36
_FIXED = {1: len(SCHEMA), 5: 8, 17: 8, 29: 2}
"""Bytes that are the same in all rows: the number of fields, and the lengths of numbers that are not null."""


def batches(rows: list[bytes]) -> Iterator[pa.RecordBatch]:
    """The rows as batches with the columns of `SCHEMA`, one for each length of an ETag.

    Raises:
        UnreadableError: a row is not one of the catalog, or holds text that is not UTF-8.
    """
    if not without_frame(rows):
        return
    block = pa.array(rows, pa.binary())
    _check(_bytes(pc.binary_slice(block, 0, _ETAG)), len(rows))
    lengths = pc.binary_slice(block, *_ETAG_LENGTH)
    different = pc.unique(lengths)
    for length in different:
        same = block if len(different) == 1 else block.filter(pc.equal(lengths, length))
        yield _batch(same, max(int.from_bytes(length.as_py(), "big", signed=True), 0))


def _batch(rows: pa.Array, etag: int) -> pa.RecordBatch:
    """The columns of rows with ETags of this length."""
    longest = pc.max(pc.binary_length(rows)).as_py()
    key = _ETAG + etag + 4
    return pa.RecordBatch.from_arrays(
        [
            _numbers(rows, _ID, "q", pa.int64()),
            _numbers(rows, _SIZE, "q", pa.int64()),
            _numbers(rows, _CLASS, "h", pa.int16()),
            _text(pc.binary_slice(rows, _ETAG, _ETAG + etag), "etag"),
            _text(pc.binary_slice(rows, key, max(longest, key)), "key_path"),
        ],
        schema=SCHEMA,
    )


def _check(heads: memoryview, rows: int) -> None:
    if len(heads) != rows * _ETAG:
        raise UnreadableError("rows of the catalog are cut off")
    for place, value in _FIXED.items():
        if bytes(heads[place::_ETAG]).count(value) != rows:
            raise UnreadableError("a row of the catalog has no id, size or storage class")


def _numbers(rows: pa.Array, place: tuple[int, int], code: str, kind: pa.DataType) -> pa.Array:
    numbers = array(code)
    numbers.frombytes(_bytes(pc.binary_slice(rows, *place)))
    if sys.byteorder == "little":
        numbers.byteswap()
    return pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(numbers)])


def _bytes(values: pa.Array) -> memoryview:
    """The bytes of all values, one after another."""
    _, offsets, data = values.buffers()
    ends = memoryview(offsets).cast("i")
    return memoryview(data)[ends[values.offset] : ends[values.offset + len(values)]]


def _text(values: pa.Array, column: str) -> pa.Array:
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        raise UnreadableError(f"the catalog cannot be read: {column} holds text that is not UTF-8") from None
