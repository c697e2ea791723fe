"""Holds a catalog that Postgres has hashed: in memory, or in parts on disk if it is too large."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from orca_daemon.reconcile.catalog_stream import CatalogStream
from orca_daemon.reconcile.copied_hashes import SCHEMA, as_batch, as_numbers
from orca_daemon.reconcile.hashing import InPostgres
from orca_daemon.reconcile.parts import Parts, bits_for
from orca_daemon.reconcile.protocol import Task
from orca_daemon.reconcile.set_aside import Catalogued

_OTHERS = 450
"""MiB of the child that a catalog in memory leaves to others: Python, DuckDB, and what reads the listing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """All hashes of a catalog; one of `rows` and `parts` has them."""

    hashing: InPostgres
    rows: Catalogued | None = None
    parts: Parts | None = None

    def stream(self) -> pa.RecordBatchReader:
        """The rows of all parts, which can be read once."""
        return pa.RecordBatchReader.from_batches(SCHEMA, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        assert self.parts is not None  # noqa: S101  rows in memory are not joined
        for index in range(len(self.parts)):
            yield from map(as_batch, self.parts.read(index))


def empty(task: Task) -> Catalogued:
    """Room for a catalog, or for a part of one, in the memory of a task."""
    return Catalogued(max(task.memory_mib - _OTHERS, 0) << 20)


def held(hashing: InPostgres, stream: CatalogStream, task: Task) -> Held:
    """Read all hashes of the catalog.

    Raises:
        psycopg2.Error: Postgres did not send all rows.
        UnreadableError: rows cannot be read, or are missing.
        OSError: the disk is full.
    """
    rows, parts = empty(task), None
    for batch in stream.rest():
        if parts is not None:
            parts.add(as_numbers(batch))
            continue
        rows.add(batch)
        if not rows.fits:
            parts = Parts(Path(task.folder), "catalog", bits_for(stream.expected(), rows.most))
            for earlier in rows.pop():
                parts.add(as_numbers(earlier))
    if parts is None:
        return Held(hashing=hashing, rows=rows)
    parts.close()
    return Held(hashing=hashing, parts=parts)
