"""Reads the catalog's hashes, which Postgres has computed, from the output of COPY in the binary format.

Postgres sends one row for each part of the table, with the numbers of all its rows one after another: a row
of its own for each would cost the driver and the server as much again.
"""

import numpy as np
import pyarrow as pa

from orca_daemon.reconcile.binary_copy import UnreadableError
from orca_daemon.reconcile.catalog_copy import NUMBERS, ROW
from orca_daemon.reconcile.parts import Numbers, columns

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("recent", pa.bool_()),
        ("key_hash", pa.uint64()),
        ("content_hash", pa.uint64()),
    ]
)
_HEAD, _COUNT = b"\0\2\0\0\0\x08", slice(6, 14)
"""Number of fields and length of the first one; its place."""


def numbers_of(part: bytes) -> Numbers:
    """For each row of a part, its id, which is negative if the row is recent, and its two hashes.

    Raises:
        UnreadableError: a value is missing: a row of the catalog has no id, key, ETag, size or storage class.
    """
    # Without rows, the second field is null, and has no bytes.
    numbers = np.frombuffer(part, np.uint8, offset=min(NUMBERS, len(part)))
    if not part.startswith(_HEAD) or len(numbers) != int.from_bytes(part[_COUNT], "big") * ROW:
        raise UnreadableError("a row of the catalog has no id, key, ETag, size or storage class")
    # Column by column in memory, because each column is used by itself.
    return numbers.view(">u8").reshape(-1, ROW // 8).T.astype(np.uint64, order="C").T


def as_batch(rows: Numbers) -> pa.RecordBatch:
    """Rows of the catalog as a batch, which may take their memory: do not use them afterwards."""
    ids, keys, contents = columns(rows)
    signed = ids.view(np.int64)
    recent = signed < 0
    values = (np.abs(signed, out=signed), recent, keys, contents)
    return pa.RecordBatch.from_arrays([pa.array(each) for each in values], schema=SCHEMA)
