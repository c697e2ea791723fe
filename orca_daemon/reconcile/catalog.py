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
from orca_daemon.reconcile import server_hash
from orca_daemon.reconcile.catalog_stream import CatalogStream
from orca_daemon.reconcile.copied_rows import UnreadableError
from orca_daemon.reconcile.copy_stream import CopyStream
from orca_daemon.reconcile.hashing import Classes, Hashing, InDuckDB, InPostgres
from orca_daemon.reconcile.held import Held
from orca_daemon.reconcile.listing import Listing, stored_listing
from orca_daemon.reconcile.protocol import Statement, Task

_BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_ROW = 25
"""Bytes of a row of the table `catalog_head`."""
_LEAST_PARTS = 2
"""Parts of the table, from which Postgres hashes."""
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
    """The catalog's rows of the bucket, which can be read once.

    Reading begins at once, before the listing is there, so that Postgres and S3 deliver at the same time.

    Args:
        engine: DuckDB.
        stream: the rows, or their hashes.
        hashing: what hashes them.
        task: the task.
    """

    def __init__(
        self, engine: duckdb.DuckDBPyConnection, stream: CatalogStream, hashing: Hashing, task: Task
    ) -> None:
        self.stream, self.hashing = stream, hashing
        self.held = Held(hashing, task) if isinstance(hashing, InPostgres) else None
        """All hashes, if Postgres computes them."""
        self._engine, self._task = engine, task
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="catalog-head", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self.stream.start()
        self._thread.start()

    def attach(self) -> None:
        """Create the view `catalog`, or wait for all hashes if memory has room for them.

        Raises the error that the rows so far have met.
        """
        if self.held is not None:
            self.held.decided.wait()
            if self.held.parts is None:
                self.wait()
            return
        self.stream.end_head()
        self.wait()
        self._engine.register("catalog_rest", self.stream.rest())
        self._engine.execute(
            f"CREATE VIEW catalog AS FROM catalog_head UNION ALL {self.hashing.catalog('catalog_rest')}"
        )

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
        if self._thread.ident is not None:
            self._thread.join()

    def _read(self) -> None:
        try:
            if self.held is None:
                self._store()
            else:
                self.held.read(self.stream)
        except Exception as error:  # noqa: BLE001  `wait` raises it
            self._error = error
        finally:
            if self.held is not None:
                self.held.decided.set()

    def _store(self) -> None:
        """Put the first rows into a table, until the listing is there or an eighth of the memory is taken."""
        most = (self._task.memory_mib << 20) // 8 // _ROW
        with self._engine.cursor() as engine:
            engine.register("catalog_first", self.stream.head(most))
            engine.execute(f"CREATE TABLE catalog_head AS {self.hashing.catalog('catalog_first')}")


@contextmanager
def catalog_of(
    task: Task, engine: duckdb.DuckDBPyConnection, report: Callable[[int], None], salt: str = ""
) -> Iterator[Catalog]:
    """The catalog, which is being read already.  Raises the errors of `connection_of`.

    Args:
        task: the task.
        engine: DuckDB.
        report: called with the number of rows so far.
        salt: see `InDuckDB`.
    """
    with stream_of(task, report, salt) as (stream, hashing):
        catalog = Catalog(engine, stream, hashing, task)
        catalog.start()
        try:
            yield catalog
        finally:
            catalog.close()


@contextmanager
def stream_of(
    task: Task, report: Callable[[int], None], salt: str = ""
) -> Iterator[tuple[CatalogStream, Hashing]]:
    """The rows of the catalog, or their hashes; reading has not begun.

    Raises the errors of `connection_of`.
    """
    with ExitStack() as stack:
        session = stack.enter_context(connection_of(task))
        # Spark has hashes of its own, and ORCA's stored listing comes from Postgres as text.
        agrees = task.spark is None and task.stored is None and server_hash.agrees(session)
        with session.cursor() as cursor:
            cursor.execute(_BEGIN)
        readers = _readers(task, session)
        if readers:
            stack.callback(readers.close)
        where = sql.SQL("t.orca_archive_location = {}").format(sql.Literal(task.bucket))
        divisible = session.info.server_version >= ranges.OLDEST_SERVER
        parts = ranges.conditions(session, "orca", "files", where) if divisible else [where]
        classes = _storage_classes(session)
        hashing: Hashing = InDuckDB(classes, salt)
        # All hashes of a part are one value, which must have a limited size.
        if (
            agrees
            and len(parts) >= _LEAST_PARTS
            and InPostgres.can_hash(classes)
            and _has_positive_ids(session)
        ):
            hashing = InPostgres(classes)
        copies = [hashing.copy(task, part) for part in parts]
        stream = CatalogStream(session, readers, copies, hashing.form, report)
        stack.callback(stream.close)
        yield stream, hashing


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


def _storage_classes(connection: Session) -> Classes:
    """The ids and names of the storage classes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT s.id, s.value FROM orca.storage_class AS s ORDER BY s.id")
        rows = [(int(key), str(value)) for key, value in cursor.fetchall()]
    if any(key <= 0 for key, _ in rows):
        raise UnreadableError("the catalog cannot be read: an id in orca.storage_class is not positive")
    return rows


def _has_positive_ids(connection: Session) -> bool:
    """Whether the sign of an id is free, as that of generated ones is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(min(f.id), 1) > 0 FROM orca.files AS f")
        ((positive,),) = cursor.fetchall()
    return bool(positive)
