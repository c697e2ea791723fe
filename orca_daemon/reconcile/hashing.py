"""The hashes that a comparison joins in place of keys and contents: computed by DuckDB, or by Postgres.

Both sides of the join must be hashed alike.  Postgres hashes a large catalog where it is, so that only hashes
are sent, and the listing is hashed by `server_hash`.  DuckDB hashes everything else.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import duckdb
import numpy as np
import pyarrow as pa

from orca_daemon.reconcile import server_hash
from orca_daemon.reconcile.catalog_copy import Classes
from orca_daemon.reconcile.listing import QUOTED, literal
from orca_daemon.reconcile.read_ahead import ahead

_BATCH, _AHEAD = 65_536, 40 << 20
"""Rows of the listing that are hashed at one time; bytes that wait to be hashed, and to be looked up."""
_LARGEST_SIZE = (1 << 55) - 1
"""Bytes of an object: above, size and storage class do not fit into one seed.  S3's limit is far below."""
_ERRORS = {
    "Invalid Input Error": duckdb.InvalidInputException,
    "Conversion Error": duckdb.ConversionException,
    "IO Error": duckdb.IOException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
}
"""DuckDB's errors by their names, which begin their texts."""


class Hashing(Protocol):
    """One way to hash; both sides of a comparison use the same object."""

    error: BaseException | None
    """The error that ended the listing early."""
    listed: int
    """Rows of the listing that passed through Python so far."""

    def listing(self, engine: duckdb.DuckDBPyConnection, select: str, columns: Sequence[str]) -> str:
        """A relation with `key_hash`, `content_hash` and these columns of `select`; it can be read once.

        ETags are as in `select`.
        """
        ...


class InDuckDB:
    """DuckDB hashes; Postgres sends the columns.

    Args:
        classes: the storage classes.
        salt: text before each key; with another one, other keys collide.
    """

    error: BaseException | None = None
    listed = 0

    def __init__(self, classes: Classes, salt: str = "") -> None:
        key = f"{literal(salt)} || key_path" if salt else "key_path"
        self._key = f"hash({key}) AS key_hash"
        self._content = "hash({etag}, size_in_bytes, storage_class) AS content_hash"
        # A negative id stands for a recent row.  A CASE in place of a join, because a second hash table
        # beside the big one keeps DuckDB from spilling (seen with 2.0.0).
        cases = [
            f"WHEN {sign} THEN {literal(name)}" for number, name in classes for sign in (number, -number)
        ]
        self._class = f"CASE storage_class_id {' '.join(cases)} END"

    def catalog(self, rows: str) -> str:
        """A SELECT of `id, key_hash, content_hash, recent` from the catalog's columns."""
        return (
            f"SELECT id, {self._key}, {self._content.format(etag='etag')}, storage_class_id < 0 AS recent "
            f"FROM (SELECT *, {self._class} AS storage_class FROM {rows})"
        )

    def listing(self, engine: duckdb.DuckDBPyConnection, select: str, columns: Sequence[str]) -> str:  # noqa: ARG002
        """See `Hashing`."""
        hashes = f"{self._key}, {self._content.format(etag=QUOTED)}"
        return f"SELECT {hashes}, {', '.join(columns)} FROM ({select})"


class InPostgres:
    """Postgres hashes the catalog, and sends nothing else; the listing passes through Python.

    Args:
        classes: the storage classes.
        seed: of the hashes.
    """

    def __init__(self, classes: Classes, seed: int) -> None:
        self.error: BaseException | None = None
        self.listed = 0
        self._seed = seed
        cases = " ".join(f"WHEN {literal(name)} THEN {key}" for key, name in classes)
        # 0 is no id: the content differs from every one in the catalog.
        known = f"CASE storage_class {cases} ELSE 0 END"
        self._class = f"CASE WHEN size_in_bytes BETWEEN 0 AND {_LARGEST_SIZE} THEN {known} ELSE 0 END"

    def listing(self, engine: duckdb.DuckDBPyConnection, select: str, columns: Sequence[str]) -> str:
        """See `Hashing`."""
        engine.register("hashed_listing", self.rows(engine, select, columns))
        return "FROM hashed_listing"

    def rows(
        self, engine: duckdb.DuckDBPyConnection, select: str, columns: Sequence[str]
    ) -> pa.RecordBatchReader:
        """`key_hash`, `content_hash` and these columns of `select`."""
        used = ("key_path", "etag", "size_in_bytes")
        others = [column for column in columns if column not in used]
        # A cursor of its own: DuckDB reads these rows while it does something else with them.
        rows = (
            engine.cursor()
            .sql(f"SELECT {', '.join([*used, *others])}, {self._class}::BIGINT AS class FROM ({select})")
            .to_arrow_reader(_BATCH)
        )
        hashes = [pa.field("key_hash", pa.uint64()), pa.field("content_hash", pa.uint64())]
        schema = pa.schema([*hashes, *(rows.schema.field(column) for column in columns)])
        hashed = self._hashed(_ahead(_as_duckdbs(rows)), schema, columns)
        return pa.RecordBatchReader.from_batches(schema, _ahead(hashed))

    def _hashed(
        self, rows: Iterator[pa.RecordBatch], schema: pa.Schema, columns: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        try:
            for batch in rows:
                self.listed += batch.num_rows
                kept = [batch.column(column) for column in columns]
                yield pa.RecordBatch.from_arrays([*self._hashes(batch), *kept], schema=schema)
        except Exception as error:
            self.error = error
            raise

    def _hashes(self, batch: pa.RecordBatch) -> list[pa.Array]:
        sizes, classes = (
            batch.column(name).to_numpy(zero_copy_only=False) for name in ("size_in_bytes", "class")
        )
        seeds = ((sizes << 8) ^ classes ^ self._seed).view(np.uint64)
        seed = np.broadcast_to(np.int64(self._seed), batch.num_rows).view(np.uint64)
        return [
            pa.array(server_hash.hashes(batch.column("key_path"), seed)),
            pa.array(server_hash.hashes(batch.column("etag"), seeds, quotes=True)),
        ]


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return ahead(batches, _AHEAD, lambda batch: int(batch.nbytes))


def _as_duckdbs(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches; DuckDB's error after the first ones comes as one of Arrow's, which keeps its text."""
    try:
        yield from batches
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        text = str(error).removeprefix("Unknown error: ")
        kinds = (kind for name, kind in _ERRORS.items() if text.startswith(name))
        raise next(kinds, duckdb.Error)(text) from None
