"""Holds a catalog that Postgres has hashed: in memory, or in parts on disk if it is too large."""

import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from orca_daemon.reconcile.catalog_stream import CatalogStream
from orca_daemon.reconcile.copied_hashes import SCHEMA, as_batch, numbers_of
from orca_daemon.reconcile.hashing import InPostgres
from orca_daemon.reconcile.parts import Numbers, Parts, bits_for
from orca_daemon.reconcile.protocol import Task
from orca_daemon.reconcile.read_ahead import ahead
from orca_daemon.reconcile.set_aside import Catalogued, room

_OTHERS = 450
"""MiB of the child that a catalog in memory leaves to others: Python, DuckDB, and what reads the listing."""
_AT_ONE_TIME = 3
"""Parts in memory: one that is compared, one that waits, and one that is read."""


class Held:
    """All hashes of a catalog: in `rows`, or in `parts` if there is no room for them in memory.

    Args:
        hashing: what hashes the listing in the same way.
        stream: brings them.
        task: the task.
    """

    def __init__(self, hashing: InPostgres, stream: CatalogStream[bytes], task: Task) -> None:
        self.hashing = hashing
        self.rows = Catalogued(_memory(task))
        self.parts: Parts | None = None
        self.decided = threading.Event()
        """Set when it is known which of the two has them."""
        self._stream, self._task = stream, task

    def read(self) -> None:
        """Read all hashes.

        Raises:
            psycopg2.Error: Postgres did not send all rows.
            UnreadableError: rows cannot be read, or are missing.
            OSError: the disk is full.
        """
        try:
            with ExitStack() as stack:
                for part in self._stream.rest():
                    self._add(numbers_of(part), stack)
        finally:
            self.decided.set()

    def _add(self, rows: Numbers, stack: ExitStack) -> None:
        if self.parts is not None:
            self.parts.add(rows)
            return
        self.rows.add(rows)
        if not self.rows.fits:
            self._divide(stack, self._stream.expected())

    def _divide(self, stack: ExitStack, expected: int) -> None:
        most = room(_memory(self._task) // _AT_ONE_TIME)
        self.parts = Parts(Path(self._task.folder), "catalog", bits_for(expected, most))
        stack.callback(self.parts.close)
        for rows in self.rows.pop():
            self.parts.add(rows)
        self.decided.set()


def free_mib(task: Task) -> int:
    """Memory for a catalog, in MiB."""
    return max(task.memory_mib - _OTHERS, 0)


def _memory(task: Task) -> int:
    return free_mib(task) << 20


def streamed(parts: Parts) -> pa.RecordBatchReader:
    """The rows of all parts, which can be read once."""
    batches = (as_batch(rows) for _, rows in parts.read_all())
    return pa.RecordBatchReader.from_batches(SCHEMA, batches)


def in_memory(task: Task, parts: Parts) -> Generator[Catalogued, None, None]:
    """The parts of a catalog, one after another; some are read ahead."""

    def read() -> Iterator[Catalogued]:
        for index in range(len(parts)):
            catalogued = Catalogued(_memory(task) // _AT_ONE_TIME)
            for rows in parts.read(index):
                catalogued.add(rows)
            yield catalogued

    return ahead(read(), most=_AT_ONE_TIME - 2)
