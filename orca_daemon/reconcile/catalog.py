"""Reads the catalog of one bucket, and a listing that ORCA stored, as relations that DuckDB can join."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import duckdb
import psycopg2
import pyarrow as pa

from orca_daemon.db.session import open_session, unreachable
from orca_daemon.reconcile.copy_stream import CopyStream
from orca_daemon.reconcile.listing import HASHES, Listing, literal, stored_listing
from orca_daemon.reconcile.protocol import Statement, Task

_CATALOG = pa.schema(
    [
        ("id", pa.int64()),
        ("key_path", pa.string()),
        ("etag", pa.string()),
        ("size_in_bytes", pa.int64()),
        ("storage_class_id", pa.int16()),
        ("recent", pa.bool_()),
    ]
)
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
def connection_of(task: Task) -> Iterator[Any]:
    """A connection to the task's database that commits each statement.

    Raises:
        UnreachableError: no connection can be opened; the text names the host and the cause.
        psycopg2.Error: the server refuses the session's settings.
    """
    try:
        session = open_session(task.database, task.session)
    except psycopg2.Error as error:
        if error.pgcode:
            raise
        raise unreachable(error, task.database) from None
    with closing(session) as connection:
        connection.autocommit = True
        yield connection


def attach_catalog(
    engine: duckdb.DuckDBPyConnection, connection: Any, statement: Statement, report: Callable[[int], None]
) -> CopyStream:
    """Create the view `catalog` of the bucket's rows; it can be read once.

    `connection` is in use until the rows are read; `report` is called with the number of rows so far.
    """
    classes = _storage_classes(connection)
    stream = CopyStream(connection, statement, _CATALOG, "the catalog", report)
    engine.register("catalog_rows", stream.reader())
    # A CASE in place of a join, because a second hash table beside the big one keeps DuckDB from spilling
    # (seen with 2.0.0).
    engine.execute(
        f"CREATE VIEW catalog AS SELECT id, {HASHES}, recent "
        f"FROM (SELECT *, CASE storage_class_id {classes} END AS storage_class FROM catalog_rows)"
    )
    return stream


def attach_stored(
    engine: duckdb.DuckDBPyConnection, connection: Any, statement: Statement
) -> tuple[Listing, CopyStream]:
    """A listing that ORCA stored in `reconcile_s3_object`."""
    stream = CopyStream(connection, statement, _STORED, "the stored listing")
    engine.register("stored_rows", stream.reader())
    return stored_listing("stored_rows"), stream


def _storage_classes(connection: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT s.id, s.value FROM orca.storage_class AS s ORDER BY s.id")
        return " ".join(f"WHEN {int(key)} THEN {literal(value)}" for key, value in cursor.fetchall())
