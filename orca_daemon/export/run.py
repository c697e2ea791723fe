"""One run: all its tables from one snapshot, one after another, a failure of one not in the way of others."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, text

from orca_daemon.db.database import Database
from orca_daemon.db.failures import SqlstateMeaning, described, is_ours, meaning, sqlstate_of, translate
from orca_daemon.export.bridge import Bridge
from orca_daemon.export.bucket import Bucket
from orca_daemon.export.catalog import STATEMENTS
from orca_daemon.export.snapshot import Snapshot
from orca_daemon.export.table import ExportOptions, TableExport, TableOutcome
from orca_daemon.export.tables import Table

log = structlog.get_logger(__name__)

_ENDS = frozenset({"57014", "40001", "40P01"})
"""Cancelled, and conflicts, which a standby has: it is the run that is called off, not one of its tables."""


class ExportBusyError(Exception):
    """Another export of the same table runs."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run."""

    now: datetime
    outcomes: tuple[TableOutcome, ...]

    @property
    def keys(self) -> dict[str, str]:
        """Table to key, for those that had rows."""
        return {outcome.table: outcome.key for outcome in self.outcomes if outcome.key}

    @property
    def failed(self) -> tuple[TableOutcome, ...]:
        """The tables that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.error)

    @property
    def reasons(self) -> str:
        """Why tables failed, in one sentence without values of rows."""
        return "; ".join(
            f"{outcome.table}: {explained(outcome.error)}" for outcome in self.outcomes if outcome.error
        )


class ExportRun:
    """One run over some tables.  Used once."""

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

    async def export(self, tables: Sequence[Table]) -> Report:
        """Export the tables.  Their failures are in the report.

        Raises:
            ExportBusyError: another run has one of the tables, and the order is to be patient.
            DependencyDown: the database is gone.
            Failed: the transaction as a whole failed.
        """
        bridge = Bridge()
        reading = asyncio.ensure_future(self._database.stream(self._read, tables, bridge))
        try:
            outcomes = await asyncio.shield(reading)
        except asyncio.CancelledError:
            # First whatever its threads wait for in the loop: they cannot read from the database meanwhile.
            bridge.close()
            reading.cancel()
            await asyncio.wait([reading])
            raise
        finally:
            for export in self._unfinished:
                await export.upload.abort()
        report = Report(self._options.now, tuple(outcomes))
        if report.failed:
            log.critical("export.failed", reason=report.reasons)
        return report

    def _read(self, connection: Connection, tables: Sequence[Table], bridge: Bridge) -> list[TableOutcome]:
        snapshot = self._begin(connection)
        busy = self._busy(connection, tables)
        if busy and self._options.patient:
            raise next(iter(busy.values()))
        outcomes: list[TableOutcome] = []
        for table in tables:
            if problem := busy.get(table.name):
                outcome = TableOutcome(table=table.name, error=problem)
            else:
                outcome = self._one(connection, table, snapshot, bridge)
            self._log_outcome(outcome)
            outcomes.append(outcome)
        return outcomes

    def _begin(self, connection: Connection) -> Snapshot:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        # Between two tables the transaction waits for S3, as long as that takes.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        cluster = connection.scalar(STATEMENTS["cluster"])
        found = connection.scalar(text("SELECT pg_catalog.pg_current_snapshot()::text"))
        return Snapshot.parse(str(found), str(cluster))

    def _busy(self, connection: Connection, tables: Sequence[Table]) -> dict[str, ExportBusyError]:
        """Lock the tables against other runs; those that another one has."""
        # Two runs at once would start from the same file and write the same rows twice.  All locks are taken
        # at the beginning: a run that came to a table later would do so with a snapshot from before the
        # file that it finds there.
        if self._options.dry_run:
            return {}
        names = {table.name: f"{self._bucket.name}/{table.name}" for table in tables}
        return {
            table: ExportBusyError(f"another export of {table} to this bucket is running")
            for table, name in names.items()
            if not connection.scalar(STATEMENTS["lock"], {"name": name})
        }

    def _one(self, connection: Connection, table: Table, snapshot: Snapshot, bridge: Bridge) -> TableOutcome:
        export = TableExport(
            connection,
            table,
            self._options,
            snapshot=snapshot,
            bucket=self._bucket,
            bridge=bridge,
            progress=self._progress,
        )
        self._unfinished.append(export)
        try:
            # The savepoint keeps the snapshot when a statement fails.
            with connection.begin_nested():
                outcome = export.run()
        except Exception as error:  # noqa: BLE001  a failure of one table is part of the report
            if ends_run(error):
                raise translate(error) if is_ours(error) else error from None
            outcome = TableOutcome(table=table.name, error=error)
        if outcome.error is None:
            self._unfinished.remove(export)
        return outcome

    def _log_outcome(self, outcome: TableOutcome) -> None:
        self._finished(outcome)
        if outcome.error:
            log.error("export.table_failed", table=outcome.table, reason=explained(outcome.error))
        elif not outcome.rows:
            log.warning("export.nothing_new", table=outcome.table)
        elif not self._options.dry_run:
            log.info(
                "export.written",
                table=outcome.table,
                key=outcome.key,
                rows=outcome.rows,
                bytes=outcome.bytes,
                seconds=round(outcome.seconds, 3),
            )


def ends_run(error: Exception) -> bool:
    """Whether no other table can be read after this."""
    if isinstance(error, CancelledError):
        return True
    if not is_ours(error) or isinstance(error, UnicodeError):
        return False
    sqlstate = sqlstate_of(error)
    return sqlstate in _ENDS or meaning(sqlstate) is SqlstateMeaning.DOWN


def explained(error: Exception) -> str:
    """A failure in a sentence without values of rows."""
    return str(described(error)) if is_ours(error) else str(error)
