"""Turns rows of the catalog, as Postgres copies them in its binary format, into Arrow, a column at a time.

Python touches each row once, when it arrives; numbers and texts are cut out of all rows of a block at once.
The layout of a row is in the documentation of COPY (Postgres, "File Formats: Binary Format"): the number of
fields, then the length and the bytes of each.  The server sends each row as a message of its own (Postgres,
"Message Formats: CopyData"), so the driver passes on whole rows.
"""

import sys
from array import array
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import repeat

import pyarrow as pa
import pyarrow.compute as pc

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
BLOCK = 16_384
"""Rows that are converted at one time."""
_SIGNATURE, _HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0", 19, b"\xff\xff"
"""Before the first row, in the same message, and after the last one."""
_ID, _SIZE, _CLASS, _ETAG_LENGTH = (6, 14), (18, 26), (30, 32), (32, 36)
"""Places of the fields."""
_ETAG = 36
_FIXED = {1: len(SCHEMA), 5: 8, 17: 8, 29: 2}
"""Bytes that are the same in all rows: the number of fields, and the lengths of numbers that are not null."""

Take = Callable[[list[bytes]], None]


class UnreadableError(Exception):
    """Rows of Postgres cannot be read, or are incomplete; the text names a column, and no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a COPY of the catalog sends, and how it is read."""

    schema: pa.Schema
    """The columns of the batches."""
    batches: Callable[[list[bytes]], Iterator[pa.RecordBatch]]
    """Reads rows of COPY; raises UnreadableError."""
    sent: Callable[[pa.RecordBatch], int]
    """How many rows of COPY a batch was made of."""


class Rows:
    """What the driver writes to: collects rows, and passes on `BLOCK` of them at a time.

    `write` is the `send` of a generator, because a call of a Python function for each row costs as much as
    the driver's own work.
    """

    def __init__(self, take: Take) -> None:
        """`take` must not raise: the driver would leave the connection in the middle of COPY."""
        self._blocks = _blocks(take)
        next(self._blocks)
        self.write = self._blocks.send

    def close(self) -> None:
        """Pass on the last rows."""
        self._blocks.close()


def _blocks(take: Take) -> Generator[None, bytes, None]:
    while True:
        rows: list[bytes] = []
        append = rows.append
        try:
            for _ in repeat(None, BLOCK):
                append((yield))
        finally:
            take(rows)


def without_frame(rows: list[bytes]) -> list[bytes]:
    """The same list without what COPY sends before its first row and after its last one."""
    if rows and rows[0].startswith(_SIGNATURE):
        rows[0] = rows[0][_HEADER:]
    if rows and rows[-1] == _TRAILER:
        rows.pop()
    return rows


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


FORM = Form(schema=SCHEMA, batches=batches, sent=lambda batch: int(batch.num_rows))
