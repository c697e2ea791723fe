"""Exports one table of a run: decide the window, read, encode, upload.  Runs in a database thread."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg2 import sql
from psycopg2.errors import CharacterNotInRepertoire
from sqlalchemy import Connection

from orca_daemon.db import ranges
from orca_daemon.db.readers import Readers
from orca_daemon.export import files, query
from orca_daemon.export.bridge import Bridge
from orca_daemon.export.bucket import Bucket
from orca_daemon.export.catalog import SourceTable, check_change_times, find
from orca_daemon.export.columns import Column, codec, schema
from orca_daemon.export.encoder import Encoder
from orca_daemon.export.files import file_key, write_time
from orca_daemon.export.framing import Reader, UnstorableError
from orca_daemon.export.parquet import RowGroups
from orca_daemon.export.reading import Reading
from orca_daemon.export.snapshot import Snapshot
from orca_daemon.export.tables import Table
from orca_daemon.export.upload import Upload
from orca_daemon.export.window import Last, Window, skipped, window

log = structlog.get_logger(__name__)


class RowsLostError(Exception):
    """Not all rows that Postgres sent are in the file."""


class NoChangeTimeError(Exception):
    """The table has no change time, so it can only be exported as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """The options of a run."""

    now: datetime
    """The start of the run, and the end of every window; aware."""
    overlap: timedelta
    row_group: int
    numeric_scale: int | None = None
    since: datetime | None = None
    full: bool = False
    dry_run: bool = False
    patient: bool = False
    """Whether the whole run fails if another run exports one of the tables, to be retried later."""
    readers: int = 1
    """Connections that read one table at the same time, if it is large and they can share the snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOutcome:
    """The result of one table."""

    table: str
    key: str | None = None
    """The file that was written (or would be, in a dry run); None without new rows."""
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    start: datetime | None = None
    error: Exception | None = None


class TableExport:
    """The export of one table inside the transaction of its run."""

    def __init__(
        self,
        connection: Connection,
        table: Table,
        options: ExportOptions,
        *,
        snapshot: Snapshot,
        bucket: Bucket,
        bridge: Bridge,
        readers: Readers | None,
        progress: Callable[[str, int], None],
    ) -> None:
        """`readers` are further connections with the same snapshot; None if there are none."""
        self._readers = readers
        self._connection, self._table, self._options = connection, table, options
        self._snapshot, self._bucket, self._bridge = snapshot, bucket, bridge
        self._progress = progress
        self._driver: Any = connection.connection.driver_connection
        self.upload = Upload(bucket, file_key(table.name, options.now), bridge)

    def run(self) -> TableOutcome:
        """Export the table."""
        began = time.monotonic()
        table = find(self._connection, self._table.relation)
        has_writers = check_change_times(self._connection, self._table, table)
        if not (self._table.change_times or self._options.full):
            raise NoChangeTimeError(
                f"table {self._table.name} has no change time: it is exported with --full only"
            )
        last = self._bridge.call(self._bucket.last(self._table.name))
        chosen = self._window(last, has_writers=has_writers)
        where = query.condition(self._table, chosen, self._snapshot)
        if self._options.dry_run:
            rows = self._scalar(query.count(table.relation, where))
        else:
            self._log_schema_changes(last, table)
            if abandoned := self._bridge.call(self._bucket.clear(self._table.name)):
                log.warning("export.uploads_abandoned", table=self._table.name, aborted=abandoned)
            rows = self._write_in_savepoint(table, chosen, where, has_writers=has_writers)
        return TableOutcome(
            table=self._table.name,
            key=self.upload.key if rows else None,
            rows=rows,
            bytes=self.upload.size,
            seconds=time.monotonic() - began,
            start=chosen.start,
        )

    def _window(self, last: Last | None, *, has_writers: bool) -> Window:
        options = self._options
        chosen = window(options.now, last, overlap=options.overlap, since=options.since, full=options.full)
        if not has_writers:
            chosen = replace(chosen, unseen_by=None)
        log.info(
            "export.table",
            table=self._table.name,
            start=write_time(chosen.start) if chosen.start else None,
            end=write_time(chosen.end),
            full=chosen.full,
            last_key=last.key if last else None,
        )
        if skipped(last, options.since):
            log.warning(
                "export.rows_skipped", table=self._table.name, reason="--since is after the newest file"
            )
        if last and last.snapshot and not last.snapshot.comparable(self._snapshot):
            log.warning(
                "export.other_server",
                table=self._table.name,
                reason="the newest file is from another server: the overlap is exported again",
            )
        return chosen

    def _log_schema_changes(self, last: Last | None, table: SourceTable) -> None:
        differences = files.changes(last.columns if last else (), table.signature)
        if differences:
            log.warning("export.schema_changed", table=self._table.name, **differences)

    def _write_in_savepoint(
        self, table: SourceTable, chosen: Window, where: sql.Composable, *, has_writers: bool
    ) -> int:
        """Write the file.  If text is not UTF-8, the error names its columns."""
        try:
            with self._connection.begin_nested():
                return self._write(table, chosen, where, has_writers=has_writers)
        except CharacterNotInRepertoire:
            # A database with the encoding SQL_ASCII stores any bytes, and its error does not name the column.
            names = [column.name for column in table.columns if self._is_not_utf8(table, column, where)]
            raise UnstorableError(f"column {', '.join(names) or '?'} holds text that is not UTF-8") from None

    def _is_not_utf8(self, table: SourceTable, column: Column, where: sql.Composable) -> bool:
        try:
            with self._connection.begin_nested():
                self._scalar(query.count_texts(table.relation, column, where))
        except CharacterNotInRepertoire:
            return True
        return False

    def _parts(self, table: SourceTable, where: sql.Composable) -> list[sql.Composable]:
        if self._readers is None:
            return [where]
        schema_name, name = table.relation.schema or "", table.relation.name
        return ranges.conditions(self._driver, schema_name, name, where)

    def _write(self, table: SourceTable, chosen: Window, where: sql.Composable, *, has_writers: bool) -> int:
        codecs = tuple(codec(column, numeric_scale=self._options.numeric_scale) for column in table.columns)
        file_schema = schema(table.columns, codecs, self._metadata(table, chosen, has_writers=has_writers))
        parts = self._parts(table, where)
        encoder = Encoder(
            lambda: RowGroups(self.upload, file_schema, self._options.row_group),
            lambda rows: self._progress(self._table.name, rows),
            len(parts),
        )
        reading = Reading(
            self._table.name,
            [query.copy(table.relation, table.columns, codecs, part) for part in parts],
            Reader(table.columns, codecs, file_schema),
            encoder,
        )
        encoder.start()
        try:
            sent = reading.run(self._driver, self._readers)
            rows = encoder.finish()
            _compare_counts(sent, rows)
        except BaseException:
            # First, so that the encoder's thread, which `abandon` waits for, uploads no more parts.
            self.upload.discard()
            encoder.abandon()
            raise
        if rows:
            self.upload.finish()
        return rows

    def _metadata(self, table: SourceTable, chosen: Window, *, has_writers: bool) -> dict[bytes, bytes]:
        snapshot = self._snapshot
        if not snapshot.settled and has_writers and self._table.change_times:
            statement = query.seen(
                self._table, table.relation, chosen, snapshot, chosen.end - self._options.overlap
            )
            snapshot = snapshot.having_seen(self._transaction_ids(statement))
        info = self._driver.info
        origin = files.Origin(
            table=self._table.name,
            relation=str(table.relation),
            source=f"{info.host}:{info.port}/{info.dbname}",
            columns=table.signature,
            snapshot=snapshot,
        )
        return files.write(origin, chosen)

    def _transaction_ids(self, statement: sql.Composable) -> Iterator[int]:
        # A named cursor is read in parts: there may be millions of ids.
        with self._driver.cursor(name="transaction_ids") as cursor:
            cursor.execute(statement)
            for (transaction_id,) in cursor:
                yield transaction_id

    def _scalar(self, statement: sql.Composable) -> int:
        with self._driver.cursor() as cursor:
            cursor.execute(statement)
            return int(cursor.fetchone()[0])


def _compare_counts(sent: int, received: int) -> None:
    """Raise RowsLostError if the server's count and ours differ."""
    if sent != received:
        raise RowsLostError(f"Postgres counted {sent} rows, and {received} came")
