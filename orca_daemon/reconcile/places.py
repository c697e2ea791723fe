"""Rows of a listing as their hashes and places in the data files, in memory and on disk."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orca_daemon.reconcile.parts import Numbers, columns

SCHEMA = pa.schema(
    [
        ("key_hash", pa.uint64()),
        ("content_hash", pa.uint64()),
        ("odd", pa.bool_()),
        ("position", pa.int64()),
    ]
)
"""`odd` is true or null."""


def as_numbers(batch: pa.RecordBatch) -> Numbers:
    """The rows of a batch, which may have its columns in another order; odd ones have negative places."""
    positions, odd = batch.column("position").to_numpy(), batch.column("odd").is_valid()
    placed = np.where(odd.to_numpy(zero_copy_only=False), ~positions, positions)
    keys, contents = (batch.column(name).to_numpy() for name in ("key_hash", "content_hash"))
    return np.column_stack([placed.view(np.uint64), keys, contents])


def are_odd(rows: Numbers) -> npt.NDArray[np.bool_]:
    """Which rows are odd."""
    negative: npt.NDArray[np.bool_] = rows[:, 0].view(np.int64) < 0
    return negative


def as_batch(rows: Numbers) -> pa.RecordBatch:
    """The reverse of `as_numbers`."""
    placed, keys, contents = columns(rows)
    positions = placed.view(np.int64)
    odd = are_odd(rows)
    values = [
        pa.array(keys),
        pa.array(contents),
        pa.array(odd, mask=~odd),
        pa.array(np.where(odd, ~positions, positions)),
    ]
    return pa.RecordBatch.from_arrays(values, schema=SCHEMA)
