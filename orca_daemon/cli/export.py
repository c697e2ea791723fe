"""`orca-daemon export`: the changes of tables as Parquet in S3, by hand or from a schedule."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.exits import FAILED, WRONG_SETTINGS, fail, run, settings_or_exit
from orca_daemon.cli.options import AsCsv, AsJson, Config, Wide, parse_time
from orca_daemon.cli.output import note, print_json, progress_bar
from orca_daemon.cli.table import Column
from orca_daemon.cli.view import Form, View, columns_option, view_of

if TYPE_CHECKING:
    from rich.progress import TaskID

    from orca_daemon.export.run import Report
    from orca_daemon.export.table import TableOutcome

OUTCOMES = (
    Column(name="table"),
    Column(name="result", rank=1),
    Column(name="start", header="FROM (UTC)", rank=5),
    Column(name="rows", number=True, rank=2),
    Column(name="bytes", number=True, rank=4),
    Column(name="seconds", number=True, rank=6),
    Column(name="file", rank=3, least=30, middle=True),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    names: Annotated[list[str], typer.Argument(metavar="TABLE", help="Tables, as the settings name them.")],
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="Start here, not at the newest file: ISO 8601, today, yesterday, or a span such as 7d.",
        ),
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
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(OUTCOMES)] = None,
    as_csv: AsCsv = False,
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
    from orca_daemon.export.tables import allowed, choose
    from orca_daemon.operations import exports
    from orca_daemon.ops.logs import configure

    if full and since:
        raise typer.BadParameter("--full and --since contradict each other")
    view = view_of(OUTCOMES, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    settings = settings_or_exit(config, {"export.bucket": bucket})
    target = settings.export.bucket
    if target is None:
        fail("no bucket for exports is set: pass --bucket or set export.bucket", WRONG_SETTINGS)
    tables, refused = choose(names, allowed(settings.export))
    if refused:
        raise typer.BadParameter(str(refused))
    configure("warning", "console", sys.stderr)  # the table below says what the daemon logs
    now = datetime.now(UTC)
    start = parse_time(since, now, "--since")
    with _progress(quiet=as_json) as progress:
        report = run(
            exports.export(
                settings, target, tables, now, since=start, full=full, dry_run=dry_run, progress=progress
            )
        )
    _print_report(view, report, target, dry_run=dry_run)
    if report.failed:
        raise typer.Exit(FAILED)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int], None]]:
    """A line for each table with its rows so far, on a terminal only."""
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} rows"))
    with progress_bar(*columns, TimeElapsedColumn(), quiet=quiet) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(table: str, rows: int) -> None:
            if table not in tasks:
                tasks[table] = bars.add_task(table, total=None)
            bars.update(tasks[table], completed=rows)

        yield progress


def _print_report(view: View, report: "Report", bucket: str, *, dry_run: bool) -> None:
    if view.form is Form.JSON:
        document = {
            "now": report.now,
            "bucket": bucket,
            "dry_run": dry_run,
            "keys": {} if dry_run else report.keys,
            "tables": [_record(outcome) for outcome in report.outcomes],
        }
        print_json("export", document)
        return
    view.show(OUTCOMES, (_row(outcome, bucket, dry_run=dry_run) for outcome in report.outcomes))
    for outcome in report.failed:
        note(f"orca-daemon: {outcome.table}: {_reason(outcome)}")


def _row(outcome: "TableOutcome", bucket: str, *, dry_run: bool) -> dict[str, Any]:
    done = "would be written" if dry_run else "written"
    return {
        "table": outcome.table,
        "result": done if outcome.key else "failed" if outcome.error else "nothing new",
        "start": outcome.start,
        "rows": outcome.rows,
        "bytes": outcome.bytes,
        "seconds": round(outcome.seconds, 3),
        "file": f"s3://{bucket}/{outcome.key}" if outcome.key else None,
    }


def _record(outcome: "TableOutcome") -> dict[str, Any]:
    return {
        "table": outcome.table,
        "start": outcome.start,
        "key": outcome.key,
        "rows": outcome.rows,
        "bytes": outcome.bytes,
        "seconds": round(outcome.seconds, 3),
        "error": _reason(outcome),
    }


def _reason(outcome: "TableOutcome") -> str | None:
    from orca_daemon.export.run import explained

    return explained(outcome.error) if outcome.error else None
