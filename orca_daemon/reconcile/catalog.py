"""Reads the catalog of one bucket, and a listing that ORCA stored, as relations that DuckDB can join."""

import threading
from typing import Any

import duckdb
import pyarrow as pa

from orca_daemon.reconcile import copied_rows
from orca_daemon.reconcile.catalog_copy import CopiedHashes, CopiedRows
from orca_daemon.reconcile.catalog_stream import CatalogStream
from orca_daemon.reconcile.copy_stream import CopyStream
from orca_daemon.reconcile.hashing import Hashing, InDuckDB, InPostgres
from orca_daemon.reconcile.held import Held
from orca_daemon.reconcile.listing import Listing, stored_listing
from orca_daemon.reconcile.protocol import Statement, Task

_ROW = 25
"""Bytes of a row of the table `catalog_head`."""
_STORED = pa.schema(
    [
        ("key_path", pa.string()),
        ("etag", pa.string()),
        ("size_in_bytes", pa.int64()),
        ("last_update", pa.string()),
        ("storage_class", pa.string()),
    ]
)


class Catalog:
    """The catalog's rows of the bucket, which can be read once.

    They are read before the listing is there, so that Postgres and S3 deliver at the same time.

    Args:
        engine: DuckDB.
        copied: the rows, or their hashes, of which reading has begun.
        task: the task.
        salt: see `InDuckDB`.
    """

    def __init__(
        self,
        engine: duckdb.DuckDBPyConnection,
        copied: CopiedRows | CopiedHashes,
        task: Task,
        salt: str = "",
    ) -> None:
        self.stream = copied.stream
        self.hashing: Hashing
        self.held: Held | None = None
        """All hashes, if Postgres computes them."""
        self._columns: _Columns | None = None
        """The columns, if it does not."""
        if isinstance(copied, CopiedHashes):
            hashing = InPostgres(copied.classes, copied.seed)
            self.hashing, self.held = hashing, Held(hashing, copied.stream, task)
        else:
            copied.stream.start()
            hashes = InDuckDB(copied.classes, salt)
            self.hashing, self._columns = hashes, _Columns(engine, copied.stream, hashes, task)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="catalog-head", daemon=True)
        self._thread.start()

    def attach(self) -> None:
        """Create the view `catalog`, or wait for all hashes if memory has room for them.

        Raises the error that the rows so far have met.
        """
        if self._columns is not None:
            self.stream.end_head()
            self.wait()
            self._columns.attach()
        elif self.held is not None:
            self.held.decided.wait()
            if self.held.parts is None:
                self.wait()

    def wait(self) -> None:
        """Wait for all hashes, or for the rows in the table; raises the error that they have met."""
        self._thread.join()
        self.check()

    def check(self) -> None:
        """Raise the error that the hashes or rows so far have met."""
        if error := self.stream.error or self._error:
            raise error

    def close(self) -> None:
        """End reading; the stream is closed by who opened it."""
        self.stream.abandon()
        self._thread.join()

    def _read(self) -> None:
        try:
            if self._columns is not None:
                self._columns.store()
            elif self.held is not None:
                self.held.read()
        except Exception as error:  # noqa: BLE001  `wait` raises it
            self._error = error


class _Columns:
    """The catalog's columns in DuckDB: the first rows in a table, the others as Postgres sends them."""

    def __init__(
        self,
        engine: duckdb.DuckDBPyConnection,
        stream: CatalogStream[pa.RecordBatch],
        hashing: InDuckDB,
        task: Task,
    ) -> None:
        self._engine, self._stream, self._hashing, self._task = engine, stream, hashing, task

    def store(self) -> None:
        """Put the first rows into a table, until the listing is there or an eighth of the memory is taken."""
        most = (self._task.memory_mib << 20) // 8 // _ROW
        with self._engine.cursor() as engine:
            first = pa.RecordBatchReader.from_batches(copied_rows.SCHEMA, self._stream.head(most))
            engine.register("catalog_first", first)
            engine.execute(f"CREATE TABLE catalog_head AS {self._hashing.catalog('catalog_first')}")

    def attach(self) -> None:
        """Create the view `catalog`."""
        rest = pa.RecordBatchReader.from_batches(copied_rows.SCHEMA, self._stream.rest())
        self._engine.register("catalog_rest", rest)
        self._engine.execute(
            f"CREATE VIEW catalog AS FROM catalog_head UNION ALL {self._hashing.catalog('catalog_rest')}"
        )


def attach_stored(
    engine: duckdb.DuckDBPyConnection, connection: Any, statement: Statement
) -> tuple[Listing, CopyStream]:
    """A listing that ORCA stored in `reconcile_s3_object`."""
    stream = CopyStream(connection, statement, _STORED, "the stored listing")
    engine.register("stored_rows", stream.reader())
    return stored_listing("stored_rows"), stream
