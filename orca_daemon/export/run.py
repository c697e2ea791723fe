"""One run: exports several tables from one snapshot, one after another; one may fail without the others."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, text

from orca_daemon.db.database import Database
from orca_daemon.db.failures import SqlstateMeaning, described, is_ours, meaning, sqlstate_of, translate
from orca_daemon.db.readers import NotSharedError, Readers, share
from orca_daemon.export.bridge import Bridge
from orca_daemon.export.bucket import Bucket
from orca_daemon.export.catalog import STATEMENTS
from orca_daemon.export.snapshot import Snapshot
from orca_daemon.export.table import ExportOptions, TableExport, TableOutcome
from orca_daemon.export.tables import Table

log = structlog.get_logger(__name__)

_ENDS_RUN = frozenset({"57014", "40001", "40P01"})
"""Cancelled, and conflicts with recovery on a standby: they end the run, and not only one of its tables."""


class ExportBusyError(Exception):
    """Another export of the same table runs."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run."""

    now: datetime
    outcomes: tuple[TableOutcome, ...]

    @property
    def keys(self) -> dict[str, str]:
        """The key of each new file, by table."""
        return {outcome.table: outcome.key for outcome in self.outcomes if outcome.key}

    @property
    def failed(self) -> tuple[TableOutcome, ...]:
        """The tables that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.error)

    @property
    def reasons(self) -> str:
        """The reasons of all failures, in one sentence without values of rows."""
        return "; ".join(
            f"{outcome.table}: {explained(outcome.error)}" for outcome in self.outcomes if outcome.error
        )


class ExportRun:
    """One run over some tables.  An instance is used once."""

    def __init__(
        self,
        database: Database,
        bucket: Bucket,
        options: ExportOptions,
        *,
        progress: Callable[[str, int], None] = lambda _table, _rows: None,
        finished: Callable[[TableOutcome], None] = lambda _outcome: None,
    ) -> None:
        """`progress` (table, rows so far) and `finished` are called from threads."""
        self._database, self._bucket, self._options = database, bucket, options
        self._progress, self._finished = progress, finished
        self._unfinished: list[TableExport] = []
        self._readers: Readers | None = None

    async def export(self, tables: Sequence[Table]) -> Report:
        """Export the tables.  Failures of single tables are in the report.

        Raises:
            ExportBusyError: another run exports one of the tables, and `options.patient` is set.
            DependencyDown: the database cannot be reached.
            PostgresError: the transaction as a whole failed.
        """
        bridge = Bridge()
        reading = asyncio.ensure_future(self._database.stream(self._read, tables, bridge))
        try:
            outcomes = await asyncio.shield(reading)
        except asyncio.CancelledError:
            # Before the cancellation of the database's thread: it may wait for S3 in this event loop, and the
            # database can only be cancelled while the thread reads from it.
            bridge.close()
            reading.cancel()
            if self._readers:
                # In a thread, because a server that does not answer delays it.
                threading.Thread(target=self._readers.stop, name="export-stop", daemon=True).start()
            await asyncio.wait([reading])
            raise
        finally:
            for export in self._unfinished:
                await export.upload.abort()
        return Report(self._options.now, tuple(outcomes))

    def _read(self, connection: Connection, tables: Sequence[Table], bridge: Bridge) -> list[TableOutcome]:
        snapshot = self._begin(connection)
        self._readers = self._share(connection)
        try:
            return self._export_all(connection, tables, snapshot, bridge)
        finally:
            if self._readers:
                self._readers.close()

    def _export_all(
        self, connection: Connection, tables: Sequence[Table], snapshot: Snapshot, bridge: Bridge
    ) -> list[TableOutcome]:
        busy = self._busy(connection, tables)
        if busy and self._options.patient:
            raise next(iter(busy.values()))
        outcomes: list[TableOutcome] = []
        for table in tables:
            if problem := busy.get(table.name):
                outcome = TableOutcome(table=table.name, error=problem)
            else:
                outcome = self._export(connection, table, snapshot, bridge)
            self._finished(outcome)
            outcomes.append(outcome)
        return outcomes

    def _begin(self, connection: Connection) -> Snapshot:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        # The transaction is idle while the run waits for S3, which may take long.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        cluster = connection.scalar(STATEMENTS["cluster"])
        current = connection.scalar(text("SELECT pg_catalog.pg_current_snapshot()::text"))
        return Snapshot.parse(str(current), str(cluster))

    def _share(self, connection: Connection) -> Readers | None:
        """Share the snapshot with further connections; None if one connection reads."""
        if self._options.readers == 1 or self._options.dry_run:
            return None
        driver: Any = connection.connection.driver_connection
        try:
            shared = share(driver)
        except NotSharedError as error:
            log.info("export.one_reader", reason=str(error))
            return None
        return Readers(self._database.open_stream, shared, self._options.readers - 1)

    def _busy(self, connection: Connection, tables: Sequence[Table]) -> dict[str, ExportBusyError]:
        """Lock the tables against other runs; return an error for each table that another run has locked."""
        # Two runs at one time would start from the same file and write the same rows twice.  All locks are
        # taken at the beginning: if a run locked a table later, it could find a file there that is newer than
        # its own snapshot.
        if self._options.dry_run:
            return {}
        names = {table.name: f"{self._bucket.name}/{table.name}" for table in tables}
        return {
            table: ExportBusyError(f"another export of {table} to this bucket is running")
            for table, name in names.items()
            if not connection.scalar(STATEMENTS["lock"], {"name": name})
        }

    def _export(
        self, connection: Connection, table: Table, snapshot: Snapshot, bridge: Bridge
    ) -> TableOutcome:
        export = TableExport(
            connection,
            table,
            self._options,
            snapshot=snapshot,
            bucket=self._bucket,
            bridge=bridge,
            readers=self._readers,
            progress=self._progress,
        )
        self._unfinished.append(export)
        try:
            # With a savepoint, so that a failed statement does not end the transaction with its snapshot.
            with connection.begin_nested():
                outcome = export.run()
        except Exception as error:  # noqa: BLE001  a failure of one table is part of the report
            if ends_run(error):
                raise translate(error) if is_ours(error) else error from None
            outcome = TableOutcome(table=table.name, error=error)
        if outcome.error is None:
            self._unfinished.remove(export)
        return outcome


def ends_run(error: Exception) -> bool:
    """Whether no other table can be read after this error."""
    if isinstance(error, CancelledError):
        return True
    if not is_ours(error) or isinstance(error, UnicodeError):
        return False
    sqlstate = sqlstate_of(error)
    return sqlstate in _ENDS_RUN or meaning(sqlstate) is SqlstateMeaning.DOWN


def explained(error: Exception) -> str:
    """The failure as a sentence without values of rows."""
    return str(described(error)) if is_ours(error) else str(error)
