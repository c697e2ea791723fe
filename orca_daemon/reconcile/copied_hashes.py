"""Reads the catalog's hashes, which Postgres has computed, from the output of COPY in the binary format.

Postgres sends one row for each part of the table, with the numbers of all its rows one after another: a row
of its own for each would cost the driver and the server as much again.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from orca_daemon.reconcile.copied_rows import Form, UnreadableError, without_frame
from orca_daemon.reconcile.parts import Numbers, columns

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("recent", pa.bool_()),
        ("key_hash", pa.uint64()),
        ("content_hash", pa.uint64()),
    ]
)
_HEAD, _COUNT, _NUMBERS = b"\0\2\0\0\0\x08", slice(6, 14), 18
"""Number of fields and length of the first one; its place; where the second one begins, after its length."""
_ROW = 3
"""Numbers of a row: its id, which is negative if the row is recent, and the hashes of key and content."""


def _batches(rows: list[bytes]) -> Iterator[pa.RecordBatch]:
    """One batch for each part.

    Raises:
        UnreadableError: a value is missing: a row of the catalog has no id, key, ETag, size or storage class.
    """
    for row in without_frame(rows):
        # Without rows, the second field is null, and has no bytes.
        numbers = np.frombuffer(row, np.uint8, offset=min(_NUMBERS, len(row)))
        if not row.startswith(_HEAD) or len(numbers) != int.from_bytes(row[_COUNT], "big") * _ROW * 8:
            raise UnreadableError("a row of the catalog has no id, key, ETag, size or storage class")
        yield as_batch(numbers.view(">u8").astype(np.uint64).reshape(-1, _ROW))


def as_batch(rows: Numbers) -> pa.RecordBatch:
    """Rows of the catalog with signed ids, as a batch."""
    ids, keys, contents = columns(rows)
    signed = ids.view(np.int64)
    values = (np.abs(signed), signed < 0, keys, contents)
    return pa.RecordBatch.from_arrays([pa.array(each) for each in values], schema=SCHEMA)


def as_numbers(batch: pa.RecordBatch) -> Numbers:
    """The reverse of `as_batch`."""
    ids, recent, keys, contents = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
    return np.column_stack([np.where(recent, -ids, ids).view(np.uint64), keys, contents])


FORM = Form(schema=SCHEMA, batches=_batches, sent=lambda _: 1)
