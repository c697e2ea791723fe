"""Holds a catalog that Postgres has hashed: in memory, or in parts on disk if it is too large."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from orca_daemon.reconcile.catalog_stream import CatalogStream
from orca_daemon.reconcile.copied_hashes import SCHEMA, as_batch, as_numbers
from orca_daemon.reconcile.hashing import InPostgres
from orca_daemon.reconcile.parts import Parts, bits_for
from orca_daemon.reconcile.protocol import Task
from orca_daemon.reconcile.read_ahead import ahead
from orca_daemon.reconcile.set_aside import Catalogued, room

_OTHERS = 450
"""MiB of the child that a catalog in memory leaves to others: Python, DuckDB, and what reads the listing."""
_AT_ONE_TIME = 3
"""Parts in memory: one that is compared, one that waits, and one that is read."""


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


def free_mib(task: Task) -> int:
    """Memory for a catalog, in MiB."""
    return max(task.memory_mib - _OTHERS, 0)


def _memory(task: Task) -> int:
    return free_mib(task) << 20


def in_memory(task: Task, parts: Parts) -> Generator[Catalogued, None, None]:
    """The parts of a catalog, one after another; some are read ahead."""

    def read() -> Iterator[Catalogued]:
        for index in range(len(parts)):
            catalogued = Catalogued(_memory(task) // _AT_ONE_TIME)
            for rows in parts.read(index):
                catalogued.add(as_batch(rows))
            yield catalogued

    return ahead(read(), _AT_ONE_TIME - 2)


def held(hashing: InPostgres, stream: CatalogStream, task: Task) -> Held:
    """Read all hashes of the catalog.

    Raises:
        psycopg2.Error: Postgres did not send all rows.
        UnreadableError: rows cannot be read, or are missing.
        OSError: the disk is full.
    """
    rows, parts = Catalogued(_memory(task)), None
    with ExitStack() as stack:
        for batch in stream.rest():
            if parts is not None:
                parts.add(as_numbers(batch))
                continue
            rows.add(batch)
            if not rows.fits:
                most = room(_memory(task) // _AT_ONE_TIME)
                parts = Parts(Path(task.folder), "catalog", bits_for(stream.expected(), most))
                stack.callback(parts.close)
                for earlier in rows.pop():
                    parts.add(as_numbers(earlier))
    return Held(hashing=hashing, rows=rows if parts is None else None, parts=parts)
