"""Reads the catalog of one bucket, and a listing that ORCA stored, as relations that DuckDB can join."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import duckdb
import psycopg2
import pyarrow as pa
from psycopg2 import sql

from orca_daemon.db import ranges
from orca_daemon.db.readers import NotSharedError, Readers, share
from orca_daemon.db.session import Session, open_session, unreachable
from orca_daemon.reconcile.catalog_stream import CatalogStream
from orca_daemon.reconcile.copied_rows import UnreadableError
from orca_daemon.reconcile.copy_stream import CopyStream
from orca_daemon.reconcile.listing import HASHES, Listing, literal, stored_listing
from orca_daemon.reconcile.protocol import Statement, Task

_BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# The columns of `copied_rows.SCHEMA`.  Whether a row is recent is the sign of its storage class, because a
# column of its own would cost the server a tenth of its time; `_storage_classes` refuses ids that are not
# positive.
_COPY = """
COPY (
    SELECT
        t.id::bigint,
        t.size_in_bytes::bigint,
        CASE
            WHEN t.ingest_time > {recent_after}::timestamptz THEN -t.storage_class_id ELSE t.storage_class_id
        END::smallint,
        t.etag::text,
        t.key_path::text
    FROM orca.files AS t
    WHERE {where}
) TO STDOUT (FORMAT binary)
"""
_ROW = 32
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


@contextmanager
def connection_of(task: Task) -> Iterator[Session]:
    """A connection to the task's database that commits each statement.

    Raises:
        UnreachableError: no connection can be opened; the text names the host and the cause.
        psycopg2.Error: the server refuses the session's settings.
    """
    with closing(_opened(task)) as connection:
        connection.autocommit = True
        yield connection


def _opened(task: Task) -> Session:
    try:
        return open_session(task.database, task.session)
    except psycopg2.Error as error:
        if error.pgcode:
            raise
        raise unreachable(error, task.database) from None


class Catalog:
    """The catalog's rows of the bucket, as the relation `catalog`, which can be read once.

    Reading begins at once, before the listing is there.  What comes meanwhile goes to a table, up to an
    eighth of the memory, so that Postgres and S3 deliver at the same time.
    """

    def __init__(
        self, engine: duckdb.DuckDBPyConnection, stream: CatalogStream, classes: str, most: int
    ) -> None:
        self.stream = stream
        self._engine, self._classes = engine, classes
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._store, args=(most,), name="catalog-head", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self.stream.start()
        self._thread.start()

    def attach(self) -> None:
        """Create the view `catalog`.  Raises the error that the rows so far have met."""
        self._end_head()
        if error := self.stream.error or self._error:
            raise error
        self._engine.register("catalog_rest", self.stream.rest())
        self._engine.execute(
            f"CREATE VIEW catalog AS FROM catalog_head UNION ALL {self._hashed('catalog_rest')}"
        )

    def close(self) -> None:
        """End the table; the stream is closed by who opened it."""
        self.stream.abandon()
        self._end_head()

    def _end_head(self) -> None:
        self.stream.end_head()
        if self._thread.ident is not None:
            self._thread.join()

    def _store(self, most: int) -> None:
        try:
            with self._engine.cursor() as engine:
                engine.register("catalog_first", self.stream.head(most))
                engine.execute(f"CREATE TABLE catalog_head AS {self._hashed('catalog_first')}")
        except Exception as error:  # noqa: BLE001  `attach` raises it
            self._error = error

    def _hashed(self, rows: str) -> str:
        # A CASE in place of a join, because a second hash table beside the big one keeps DuckDB from spilling
        # (seen with 2.0.0).
        return (
            f"SELECT id, {HASHES}, storage_class_id < 0 AS recent "
            f"FROM (SELECT *, CASE storage_class_id {self._classes} END AS storage_class FROM {rows})"
        )


@contextmanager
def catalog_of(
    task: Task, engine: duckdb.DuckDBPyConnection, report: Callable[[int], None]
) -> Iterator[Catalog]:
    """The catalog, which is being read already; `report` is called with the number of rows so far.

    Raises the errors of `connection_of`.
    """
    with stream_of(task, report) as (stream, classes):
        # A negative id stands for a recent row: see `_COPY`.
        cases = " ".join(
            f"WHEN {key} THEN {literal(value)} WHEN {-key} THEN {literal(value)}" for key, value in classes
        )
        catalog = Catalog(engine, stream, cases, (task.memory_mib << 20) // 8 // _ROW)
        catalog.start()
        try:
            yield catalog
        finally:
            catalog.close()


@contextmanager
def stream_of(
    task: Task, report: Callable[[int], None]
) -> Iterator[tuple[CatalogStream, list[tuple[int, str]]]]:
    """The rows of the catalog, and the ids and names of the storage classes; reading has not begun.

    Raises the errors of `connection_of`.
    """
    with ExitStack() as stack:
        session = stack.enter_context(connection_of(task))
        with session.cursor() as cursor:
            cursor.execute(_BEGIN)
        readers = _readers(task, session)
        if readers:
            stack.callback(readers.close)
        where = sql.SQL("t.orca_archive_location = {}").format(sql.Literal(task.bucket))
        parts = ranges.conditions(session, "orca", "files", where) if readers else [where]
        copies = [
            sql.SQL(_COPY).format(recent_after=sql.Literal(task.recent_after), where=part) for part in parts
        ]
        classes = _storage_classes(session)
        stream = CatalogStream(session, readers, copies, report)
        stack.callback(stream.close)
        yield stream, classes


def _readers(task: Task, session: Session) -> Readers | None:
    """Further connections with the session's snapshot; None if one connection reads."""
    if task.readers == 1:
        return None
    try:
        shared = share(session)
    except NotSharedError:
        return None
    return Readers(lambda: _opened(task), shared, task.readers - 1)


def attach_stored(
    engine: duckdb.DuckDBPyConnection, connection: Any, statement: Statement
) -> tuple[Listing, CopyStream]:
    """A listing that ORCA stored in `reconcile_s3_object`."""
    stream = CopyStream(connection, statement, _STORED, "the stored listing")
    engine.register("stored_rows", stream.reader())
    return stored_listing("stored_rows"), stream


def _storage_classes(connection: Session) -> list[tuple[int, str]]:
    """The ids and names of the storage classes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT s.id, s.value FROM orca.storage_class AS s ORDER BY s.id")
        rows = [(int(key), str(value)) for key, value in cursor.fetchall()]
    if any(key <= 0 for key, _ in rows):
        raise UnreadableError("the catalog cannot be read: an id in orca.storage_class is not positive")
    return rows
