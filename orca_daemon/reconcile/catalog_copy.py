"""Opens the catalog of one bucket for reading: its columns, or their hashes, which Postgres computes.

Neither this nor what it imports needs Arrow, numpy or DuckDB, whose import takes a third of a second: in that
time, Postgres reads already.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from orca_daemon.db import ranges
from orca_daemon.db.readers import NotSharedError, Readers, share
from orca_daemon.db.session import Session, open_session, unreachable
from orca_daemon.reconcile import hash_agreement
from orca_daemon.reconcile.binary_copy import UnreadableError, without_frame
from orca_daemon.reconcile.catalog_stream import CatalogStream, Form
from orca_daemon.reconcile.protocol import Task

if TYPE_CHECKING:
    from pyarrow import RecordBatch

Classes = Sequence[tuple[int, str]]
"""Ids and names of the storage classes."""
NUMBERS, ROW = 18, 24
"""In the row of COPY that has the hashes of a part: where they begin; bytes of a row of the catalog."""
_BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_LEAST_PARTS = 2
"""Parts of the table, from which Postgres hashes."""
_LARGEST_CLASS = 255
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedRows:
    """The catalog's columns, with the schema of `copied_rows`."""

    stream: "CatalogStream[RecordBatch]"
    classes: Classes


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedHashes:
    """The catalog's ids, and hashes of its keys and contents, as `copied_hashes` reads them."""

    stream: CatalogStream[bytes]
    classes: Classes
    seed: int
    """Of the hashes; negative."""


def _batches(rows: list[bytes]) -> "Iterator[RecordBatch]":
    from orca_daemon.reconcile import copied_rows

    return copied_rows.batches(rows)


def _number(batch: "RecordBatch") -> int:
    return int(batch.num_rows)


_ROWS: "Form[RecordBatch]" = Form(batches=_batches, rows=_number, sent=_number)
_HASHES: Form[bytes] = Form(
    batches=without_frame, rows=lambda part: max(len(part) - NUMBERS, 0) // ROW, sent=lambda _: 1
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


@contextmanager
def opened(task: Task, report: Callable[[int], None]) -> Iterator[CopiedRows | CopiedHashes]:
    """The catalog; reading has not begun.

    Raises the errors of `connection_of`, and UnreadableError.

    Args:
        task: the task.
        report: called with the number of rows so far.
    """
    with ExitStack() as stack:
        session = stack.enter_context(connection_of(task))
        # Spark has hashes of its own, and ORCA's stored listing comes from Postgres as text.
        agrees = task.spark is None and task.stored is None and hash_agreement.agrees(session)
        with session.cursor() as cursor:
            cursor.execute(_BEGIN)
        readers = _readers(task, session)
        if readers:
            stack.callback(readers.close)
        where = sql.SQL("t.orca_archive_location = {}").format(sql.Literal(task.bucket))
        divisible = session.info.server_version >= ranges.OLDEST_SERVER
        parts = ranges.conditions(session, "orca", "files", where) if divisible else [where]
        classes = _storage_classes(session)
        # All hashes of a part are one value, which must have a limited size.
        if agrees and len(parts) >= _LEAST_PARTS and _can_hash(classes) and _has_positive_ids(session):
            # Negative, so that a size never makes it 0.
            # By chance, so that nobody can choose keys that collide.
            seed = -1 - secrets.randbits(62)
            copies = [_copy(_COPY_HASHES, task, part, seed=sql.Literal(seed)) for part in parts]
            hashes = CatalogStream(session, readers, copies, _HASHES, report)
            stack.callback(hashes.close)
            yield CopiedHashes(stream=hashes, classes=classes, seed=seed)
        else:
            copies = [_copy(_COPY_ROWS, task, part) for part in parts]
            rows = CatalogStream(session, readers, copies, _ROWS, report)
            stack.callback(rows.close)
            yield CopiedRows(stream=rows, classes=classes)


def _copy(statement: str, task: Task, where: sql.Composable, **values: sql.Composable) -> sql.Composable:
    """A COPY of the catalog's rows `t` that match `where`."""
    return sql.SQL(statement).format(recent_after=sql.Literal(task.recent_after), where=where, **values)


def _readers(task: Task, session: Session) -> Readers | None:
    """Further connections with the session's snapshot; None if one connection reads."""
    if task.readers == 1:
        return None
    try:
        shared = share(session)
    except NotSharedError:
        return None
    return Readers(lambda: _opened(task), shared, task.readers - 1)


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


def _can_hash(classes: Classes) -> bool:
    """Whether size and storage class fit into one seed."""
    return bool(classes) and max(key for key, _ in classes) <= _LARGEST_CLASS
