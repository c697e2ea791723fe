"""`{"tables_to_query": […]}`: exports the changes of tables, and reports the result of each table."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog

from orca_daemon.aws.secret_reader import SecretReader
from orca_daemon.db.address import AddressError
from orca_daemon.db.failures import PostgresError
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.export.bucket import Bucket
from orca_daemon.export.catalog import RelationMissingError
from orca_daemon.export.framing import UnstorableError
from orca_daemon.export.reading import default_readers
from orca_daemon.export.run import ExportBusyError, ExportRun, Report, explained
from orca_daemon.export.source import other_database, source
from orca_daemon.export.table import ExportOptions, NoChangeTimeError, TableOutcome
from orca_daemon.export.tables import Table, TableNotAllowedError, allowed, choose
from orca_daemon.ops.metrics.exports import ExportMetrics, ExportOutcome
from orca_daemon.queues.services import Services
from orca_daemon.settings import ExportSection as ExportSettings
from orca_daemon.wire.inventory import ExportRequest

log = structlog.get_logger(__name__)
E = TypeVar("E", bound=Exception)
SOURCE = "export_source"
"""The dependency's name for a Postgres to export from that is not the application's own.

It has no probe: exports themselves show whether it works.
"""
_WAITABLE: tuple[type[Exception], ...] = (DependencyDown, NotYet, Refused)
"""Failures that are not the fault of the request, the mildest first."""

_MISTAKES = (RelationMissingError, NoChangeTimeError, UnstorableError)
"""Failures that no other attempt mends: the table does not exist, or cannot be exported so."""


class ExportError(Exception):
    """Some tables of the run were not exported; another attempt may succeed."""


async def export_tables(services: Services, request: ExportRequest) -> Mapping[str, str]:
    """Export the tables that a message names; return the key of each new file, by table.

    If a message is handled twice, the second run starts where the files of the first one end.

    Args:
        services: connections and settings.
        request: the tables.

    Raises:
        DependencyDown: Postgres, the source of the exports or S3 cannot be reached.
        NotYet: another export of one of the tables runs, or S3 throttles.
        Refused: S3 denies access.
        Reject: tables failed, and would fail again.
        ExportError: tables failed; another attempt may succeed.
    """
    bucket = services.settings.export.bucket
    if bucket is None:
        raise _ended(Reject("no bucket for exports is set (export.bucket)"))
    tables, refused = choose(request.tables_to_query, allowed(services.settings.export))
    if refused:
        _ended(refused)
    log.info("export.started", tables=[table.name for table in tables], bucket=bucket)
    report = await _export(services, bucket, tables)
    if verdict := judge(report, refused):
        raise verdict
    log.info("export.finished", keys=report.keys)
    return report.keys


async def _export(services: Services, bucket: str, tables: Sequence[Table]) -> Report:
    settings = services.settings
    try:
        named = ", ".join(table.name for table in tables)
        with (
            source(settings, services.database, SecretReader(services.clients)) as database,
            services.work.begin("export", named) as work,
        ):
            run = ExportRun(
                database,
                Bucket(services.clients.s3, bucket),
                replace(export_options(settings.export, datetime.now(UTC)), patient=True),
                progress=lambda table, rows: work.show(stage=table, done=rows, unit="rows"),
                finished=lambda outcome: _finished(services.metrics.exports, outcome),
            )
            report = await run.export(tables)
            if report.failed:
                log.critical("export.failed", reason=report.reasons)
            return report
    except ExportBusyError as error:
        # Perhaps a daemon runs it that has lost the lease of this same message, or that died before the
        # server noticed.  It ends by itself, after minutes or hours, and this run has done nothing yet.
        log.info("export.waits", reason=str(error))
        raise NotYet(str(error)) from error
    except AddressError as error:
        raise _ended(Reject(str(error))) from error
    except PostgresError as error:
        raise _ended(error) from None
    except DependencyDown as error:
        if other_database(settings) is not None and not error.place:
            # Named apart from "postgres", whose probe asks our own database.
            raise DependencyDown(SOURCE, error.reason) from error
        raise


def _ended(error: E) -> E:
    """The same error, after CRITICAL in the log: a table is not exported, or none is.

    `ExportRun` itself logs the tables that fail while they are exported.
    """
    log.critical("export.failed", reason=str(error))
    return error


def export_options(settings: ExportSettings, now: datetime) -> ExportOptions:
    """The options of a run that starts at `now`."""
    return ExportOptions(
        now=now,
        overlap=timedelta(days=settings.overlap_days),
        row_group=settings.row_group,
        numeric_scale=settings.numeric_scale,
        readers=settings.readers or default_readers(os.cpu_count() or 1),
    )


def judge(report: Report, refused: TableNotAllowedError | None) -> Exception | None:
    """The exception for a run with these failures: the mildest of them; None if all tables succeeded."""
    errors = [outcome.error for outcome in report.failed if outcome.error]
    for kind in _WAITABLE:
        if mildest := next((error for error in errors if isinstance(error, kind)), None):
            return mildest
    text = "; ".join(part for part in (report.reasons, str(refused or "")) if part)
    if any(not isinstance(error, _MISTAKES) for error in errors):
        return ExportError(text)
    return Reject(text) if text else None


def _finished(metrics: ExportMetrics, outcome: TableOutcome) -> None:
    """Count and log the outcome of a table."""
    count(metrics, outcome)
    if outcome.error:
        log.error("export.table_failed", table=outcome.table, reason=explained(outcome.error))
    elif not outcome.rows:
        log.warning("export.nothing_new", table=outcome.table)
    else:
        log.info(
            "export.written",
            table=outcome.table,
            key=outcome.key,
            rows=outcome.rows,
            bytes=outcome.bytes,
            seconds=round(outcome.seconds, 3),
        )


def count(metrics: ExportMetrics, outcome: TableOutcome) -> None:
    """Put a table's outcome into the metrics."""
    done = ExportOutcome.WRITTEN if outcome.rows else ExportOutcome.NOTHING_NEW
    ended = ExportOutcome.FAILED if outcome.error else done
    metrics.ended(outcome.table, ended, rows=outcome.rows, size=outcome.bytes, seconds=outcome.seconds)
