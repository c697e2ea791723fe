"""The catalog of one bucket, and a listing that ORCA stored, as relations that DuckDB can join."""

from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa

from orca_daemon.reconcile.copy_stream import CopyStream
from orca_daemon.reconcile.listing import HASHES, Listing, literal, stored_listing
from orca_daemon.reconcile.protocol import Statement

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


def attach_catalog(
    engine: duckdb.DuckDBPyConnection, connection: Any, statement: Statement, arrived: Callable[[int], None]
) -> CopyStream:
    """Make the bucket's rows readable as `catalog`, once.

    `connection` is in use until the rows are read; `arrived` is called with their number so far.
    """
    classes = _storage_classes(connection)
    stream = CopyStream(connection, statement, _CATALOG, "the catalog", arrived)
    engine.register("catalog_rows", stream.reader())
    # Not a join: a second hash table beside the big one keeps DuckDB from spilling (seen with 2.0.0).
    engine.execute(
        f"CREATE VIEW catalog AS SELECT id, {HASHES}, recent "
        f"FROM (SELECT *, CASE storage_class_id {classes} END AS storage_class FROM catalog_rows)"
    )
    return stream


def attach_stored(
    engine: duckdb.DuckDBPyConnection, connection: Any, statement: Statement
) -> tuple[Listing, CopyStream]:
    """A listing that lies in `reconcile_s3_object`."""
    stream = CopyStream(connection, statement, _STORED, "the stored listing")
    engine.register("stored_rows", stream.reader())
    return stored_listing("stored_rows"), stream


def _storage_classes(connection: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT s.id, s.value FROM orca.storage_class AS s ORDER BY s.id")
        return " ".join(f"WHEN {int(key)} THEN {literal(value)}" for key, value in cursor.fetchall())
