"""`{"tables_to_query": […]}`: export the changes of tables, and say what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from orca_daemon.aws.secret_reader import SecretReader
from orca_daemon.db.address import AddressError
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.export.bucket import Bucket
from orca_daemon.export.catalog import RelationMissingError
from orca_daemon.export.framing import UnstorableError
from orca_daemon.export.run import ExportBusyError, ExportRun, Report
from orca_daemon.export.source import elsewhere, source
from orca_daemon.export.table import ExportOptions, NoChangeTimeError, TableOutcome
from orca_daemon.export.tables import Table, TableNotAllowedError, allowed, choose
from orca_daemon.ops.metrics.exports import ExportMetrics, ExportOutcome
from orca_daemon.queues.services import Services
from orca_daemon.settings import ExportSection as ExportSettings
from orca_daemon.wire.inventory import ExportRequest

log = structlog.get_logger(__name__)
SOURCE = "export_source"
"""The Postgres to export from, where it is not the application's: judged by what exports meet there."""
_MILD: tuple[type[Exception], ...] = (DependencyDown, NotYet, Refused)
"""What a table may fail with that says nothing of the request, the mildest first."""


class ExportError(Exception):
    """Some tables of the run were not exported; worth trying again."""


async def export_tables(services: Services, request: ExportRequest) -> Mapping[str, str]:
    """Export the tables that a message names; returns table to key, for those that had new rows.

    Done twice, the second run starts where the files of the first one end.

    Args:
        services: what it may use.
        request: the tables.

    Raises:
        DependencyDown: Postgres, the source of the exports or S3 cannot be reached.
        NotYet: another export of one of the tables runs, or S3 asks to slow down.
        Refused: S3 denies.
        Reject: tables failed, and would again.
        ExportError: tables failed, and may not the next time.
    """
    bucket = services.settings.export.bucket
    if bucket is None:
        raise Reject("no bucket for exports is set (export.bucket)")
    tables, refused = choose(request.tables_to_query, allowed(services.settings.export))
    log.info("export.started", tables=[table.name for table in tables], bucket=bucket)
    report = await _export(services, bucket, tables)
    if verdict := judge(report, refused):
        raise verdict
    log.info("export.finished", keys=report.keys)
    return report.keys


async def _export(services: Services, bucket: str, tables: Sequence[Table]) -> Report:
    settings = services.settings
    try:
        with source(settings, services.database, SecretReader(services.clients)) as database:
            run = ExportRun(
                database,
                Bucket(services.clients.s3, bucket),
                replace(export_options(settings.export, datetime.now(UTC)), patient=True),
                finished=lambda outcome: count(services.metrics.exports, outcome),
            )
            return await run.export(tables)
    except ExportBusyError as error:
        # Perhaps the run of a daemon that lost this very message, or died without its server's knowledge.
        # It ends by itself, after minutes or hours, and nothing was done here so far.
        log.info("export.waits", reason=str(error))
        raise NotYet(str(error)) from error
    except AddressError as error:
        log.critical("export.failed", reason=str(error))
        raise Reject(str(error)) from error
    except DependencyDown as error:
        if elsewhere(settings) is not None and not error.place:
            # The probe asks our own database, which has nothing to do with it.
            raise DependencyDown(SOURCE, error.reason) from error
        raise


def export_options(settings: ExportSettings, now: datetime) -> ExportOptions:
    """What every run is asked for, at `now`."""
    return ExportOptions(
        now=now,
        overlap=timedelta(days=settings.overlap_days),
        row_group=settings.row_group,
        numeric_scale=settings.numeric_scale,
    )


def judge(report: Report, refused: TableNotAllowedError | None) -> Exception | None:
    """What the failures of a run come to: the mildest that one of them asks for."""
    errors = [outcome.error for outcome in report.failed if outcome.error]
    for mild in _MILD:
        if found := next((error for error in errors if isinstance(error, mild)), None):
            return found
    text = "; ".join(part for part in (report.reasons, str(refused or "")) if part)
    if any(
        not isinstance(error, RelationMissingError | NoChangeTimeError | UnstorableError) for error in errors
    ):
        return ExportError(text)
    return Reject(text) if text else None


def count(metrics: ExportMetrics, outcome: TableOutcome) -> None:
    """Put a table's outcome into the metrics."""
    what: ExportOutcome = "failed" if outcome.error else "written" if outcome.rows else "nothing_new"
    metrics.ended(outcome.table, what, rows=outcome.rows, size=outcome.bytes, seconds=outcome.seconds)
