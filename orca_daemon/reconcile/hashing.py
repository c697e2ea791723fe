"""The hashes that a comparison joins in place of keys and contents: computed by DuckDB, or by Postgres.

Both sides of the join must be hashed alike.  Postgres hashes a large catalog where it is, so that only hashes
are sent, and the listing is hashed by `server_hash`.  DuckDB hashes everything else.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import Protocol

import duckdb
import numpy as np
import pyarrow as pa
from psycopg2 import sql

from orca_daemon.reconcile import copied_hashes, copied_rows, server_hash
from orca_daemon.reconcile.copied_rows import Form
from orca_daemon.reconcile.listing import QUOTED, literal
from orca_daemon.reconcile.protocol import Task
from orca_daemon.reconcile.read_ahead import ahead

Classes = Sequence[tuple[int, str]]
"""Ids and names of the storage classes."""
_LARGEST_CLASS = 255
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
# Whether a row is recent is the sign of its storage class, because a column of its own would cost the server
# a tenth of its time; ids of storage classes are positive.
_COPY_ROWS = """
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
# One sum of all numbers, because each sum costs the server a twentieth of its time.  The sign of the id says
# whether the row is recent.  The collation says that the bytes are hashed.
_COPY_HASHES = """
COPY (
    SELECT
        pg_catalog.count(*),
        pg_catalog.string_agg(
            pg_catalog.int8send(
                CASE WHEN t.ingest_time > {recent_after}::timestamptz THEN -t.id ELSE t.id END
            )
            || pg_catalog.int8send(pg_catalog.hashtextextended(t.key_path COLLATE "C", {seed}))
            || pg_catalog.int8send(
                pg_catalog.hashtextextended(
                    t.etag COLLATE "C", (t.size_in_bytes << 8) # t.storage_class_id # {seed}
                )
            ),
            ''::bytea
        )
    FROM orca.files AS t
    WHERE {where}
) TO STDOUT (FORMAT binary)
"""


class Hashing(Protocol):
    """One way to hash; both sides of a comparison use the same object."""

    form: Form
    """What `copy` sends."""
    classes: Classes
    error: BaseException | None
    """The error that ended the listing early."""
    listed: int
    """Rows of the listing that passed through Python so far."""

    def copy(self, task: Task, where: sql.Composable) -> sql.Composable:
        """A COPY of the catalog's rows `t` that match `where`."""
        ...

    def catalog(self, rows: str) -> str:
        """A SELECT of `id, key_hash, content_hash, recent` from what `copy` has sent."""
        ...

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

    form = copied_rows.FORM
    error: BaseException | None = None
    listed = 0

    def __init__(self, classes: Classes, salt: str = "") -> None:
        self.classes = classes
        key = f"{literal(salt)} || key_path" if salt else "key_path"
        self._key = f"hash({key}) AS key_hash"
        self._content = "hash({etag}, size_in_bytes, storage_class) AS content_hash"
        # A negative id stands for a recent row.  A CASE in place of a join, because a second hash table
        # beside the big one keeps DuckDB from spilling (seen with 2.0.0).
        cases = [
            f"WHEN {sign} THEN {literal(name)}" for number, name in classes for sign in (number, -number)
        ]
        self._class = f"CASE storage_class_id {' '.join(cases)} END"

    def copy(self, task: Task, where: sql.Composable) -> sql.Composable:
        """See `Hashing`."""
        return sql.SQL(_COPY_ROWS).format(recent_after=sql.Literal(task.recent_after), where=where)

    def catalog(self, rows: str) -> str:
        """See `Hashing`."""
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
    """

    form = copied_hashes.FORM

    def __init__(self, classes: Classes) -> None:
        self.classes = classes
        self.error: BaseException | None = None
        self.listed = 0
        # Negative, so that a size never makes it 0.  By chance, so that nobody can choose keys that collide.
        self._seed = -1 - secrets.randbits(62)
        cases = " ".join(f"WHEN {literal(name)} THEN {key}" for key, name in classes)
        # 0 is no id: the content differs from every one in the catalog.
        known = f"CASE storage_class {cases} ELSE 0 END"
        self._class = f"CASE WHEN size_in_bytes BETWEEN 0 AND {_LARGEST_SIZE} THEN {known} ELSE 0 END"

    @staticmethod
    def can_hash(classes: Classes) -> bool:
        """Whether size and storage class fit into one seed."""
        return bool(classes) and max(key for key, _ in classes) <= _LARGEST_CLASS

    def copy(self, task: Task, where: sql.Composable) -> sql.Composable:
        """See `Hashing`."""
        return sql.SQL(_COPY_HASHES).format(
            recent_after=sql.Literal(task.recent_after), seed=sql.Literal(self._seed), where=where
        )

    def catalog(self, rows: str) -> str:
        """See `Hashing`."""
        return f"SELECT id, key_hash, content_hash, recent FROM {rows}"

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
