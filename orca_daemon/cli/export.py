"""`orca-daemon export`: the changes of tables as Parquet in S3, by hand or from a schedule."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.settings import WRONG_SETTINGS, settings_or_exit
from orca_daemon.cli.times import format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from orca_daemon.export.run import Report
    from orca_daemon.export.table import ExportOptions, TableOutcome
    from orca_daemon.export.tables import Table
    from orca_daemon.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    names: Annotated[list[str], typer.Argument(metavar="TABLE", help="Tables, as the settings name them.")],
    since: Annotated[
        str | None,
        typer.Option("--since", help="Start here and not at the newest file: a time, or 24h, 7d before now."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Every row, whenever it changed; lookup tables need this.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the rows that would be written, and write nothing.")
    ] = False,
    bucket: Annotated[
        str | None, typer.Option("--bucket", help="Default: the setting export.bucket.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Export the rows of tables that changed since the last export.

    All tables are read from one snapshot.  Each file is s3://BUCKET/TABLE/yyyy/mm/dd/hhmmssmmmmmm.parquet,
    named after the start of this run, and appears when it is complete.  A table that fails does not stop
    the others.

    Exit codes: 0 done, 1 a table failed, 2 usage, 78 settings are wrong.

    \b
    orca-daemon export recovery_job recovery_file
    orca-daemon export storage_class --full
    orca-daemon export files --since 7d --dry-run
    """
    from datetime import UTC, datetime

    from orca_daemon.cli.connections import run
    from orca_daemon.export.tables import allowed, choose
    from orca_daemon.queues.internal_report.exports import export_options

    if full and since:
        raise typer.BadParameter("--full and --since contradict each other")
    settings = settings_or_exit(config, {"export.bucket": bucket})
    if settings.export.bucket is None:
        typer.echo("orca-daemon: no bucket for exports is set: --bucket or export.bucket", err=True)
        raise typer.Exit(WRONG_SETTINGS)
    tables, refused = choose(names, allowed(settings.export))
    if refused:
        raise typer.BadParameter(str(refused))
    _log_to_stderr(settings)
    now = datetime.now(UTC)
    wanted = replace(
        export_options(settings.export, now),
        since=parse_time(since, now) if since else None,
        full=full,
        dry_run=dry_run,
    )
    report = run(_export(settings, settings.export.bucket, wanted, tables, quiet=as_json))
    _print_report(report, settings.export.bucket, dry_run=dry_run, as_json=as_json)
    if report.failed:
        raise typer.Exit(1)


def _log_to_stderr(settings: "Settings") -> None:
    """Everything under a scheduler; only warnings on a terminal, where progress and table say the rest."""
    from orca_daemon.ops.logs import configure

    if sys.stderr.isatty():
        configure("warning", "console", sys.stderr)
    else:
        configure(settings.log.level, settings.log.format, sys.stderr)


async def _export(
    settings: "Settings",
    bucket: str,
    export_options: "ExportOptions",
    tables: "Sequence[Table]",
    *,
    quiet: bool,
) -> "Report":
    from orca_daemon.aws.clients import connect
    from orca_daemon.aws.secret_reader import SecretReader
    from orca_daemon.db.database import Database
    from orca_daemon.export.bucket import Bucket
    from orca_daemon.export.run import ExportRun
    from orca_daemon.export.source import source

    async with connect(settings) as clients:
        secrets = SecretReader(clients)
        own = Database(settings.database, secrets) if settings.database.configured else None
        try:
            with source(settings, own, secrets) as database, _progress(quiet=quiet) as progress:
                run = ExportRun(database, Bucket(clients.s3, bucket), export_options, progress=progress)
                return await run.export(tables)
        finally:
            if own:
                own.close()


@contextmanager
def _progress(*, quiet: bool) -> "Iterator[Callable[[str, int], None]]":
    """A line for each table with its rows so far, on a terminal only."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} rows"))
    off = quiet or not console.is_terminal
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=off) as bar:
        tasks: dict[str, Any] = {}

        def progress(table: str, rows: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(table, total=None)
            bar.update(tasks[table], completed=rows)

        yield progress


def _print_report(report: "Report", bucket: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        document = {
            "now": report.now.isoformat(),
            "bucket": bucket,
            "dry_run": dry_run,
            "keys": {} if dry_run else report.keys,
            "tables": [_record(outcome) for outcome in report.outcomes],
        }
        typer.echo(json.dumps(document, indent=2))
        return
    from orca_daemon.cli.tables import show

    columns = ("table", "from", "#rows", "#bytes", "#seconds", "would be" if dry_run else "file")
    show(columns, (_line(outcome, bucket) for outcome in report.outcomes))
    for outcome in report.failed:
        typer.echo(f"orca-daemon: {outcome.table}: {_reason(outcome)}", err=True)


def _line(outcome: "TableOutcome", bucket: str) -> tuple[object, ...]:
    place = f"s3://{bucket}/{outcome.key}" if outcome.key else "failed" if outcome.error else "nothing new"
    figures = (f"{outcome.rows:,}", f"{outcome.bytes:,}", f"{outcome.seconds:.1f}")
    return (outcome.table, format_time(outcome.start), *figures, place)


def _record(outcome: "TableOutcome") -> dict[str, Any]:
    return {
        "table": outcome.table,
        "start": outcome.start.isoformat() if outcome.start else None,
        "key": outcome.key,
        "rows": outcome.rows,
        "bytes": outcome.bytes,
        "seconds": round(outcome.seconds, 3),
        "error": _reason(outcome),
    }


def _reason(outcome: "TableOutcome") -> str | None:
    from orca_daemon.export.run import explained

    return explained(outcome.error) if outcome.error else None
