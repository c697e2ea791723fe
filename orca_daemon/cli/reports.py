"""`orca-daemon reports` and `orca-daemon report`: the results of comparisons of S3 with the catalog."""

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.exits import run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.output import format_time, print_json, print_table, printable
from orca_daemon.wire.reconciliation import DifferenceKind

if TYPE_CHECKING:
    from orca_daemon.settings import Settings

Row = dict[str, Any]
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""With one of these at its beginning, a spreadsheet takes a text for a formula (OWASP: CSV injection)."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("reports")(reports)
    app.command("report")(report)


def reports(
    bucket: Annotated[str | None, typer.Option(help="Only of this archive bucket.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most jobs.")] = 50,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List comparisons, the newest inventory first.

    \b
    orca-daemon reports --bucket archive
    """
    from orca_daemon.operations.comparison import list_comparisons

    comparisons = run(list_comparisons(settings_or_exit(config), bucket=bucket, limit=limit))
    if as_json:
        print_json(comparisons)
    else:
        _print_comparisons(comparisons)


def report(
    job: Annotated[int, typer.Argument(metavar="ID", help="Id of the job, as `reports` lists it.")],
    kind: Annotated[DifferenceKind | None, typer.Option(help="Only differences of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="The most rows of a kind; 0 is all.")] = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV; needs --kind.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the differences that one comparison found.  Exits 1 if the job does not exist.

    In CSV, a text that a spreadsheet would take for a formula begins with an apostrophe; --json is exact.

    \b
    orca-daemon report 4711 --kind phantom --limit 0 --csv > phantoms.csv
    """
    from orca_daemon.operations.comparison import read_comparison

    if as_csv and (kind is None or as_json):
        raise typer.BadParameter("--csv prints one kind: name it with --kind, and leave --json out")
    settings = settings_or_exit(config)
    comparison = run(read_comparison(settings, job))
    kinds = [kind] if kind else list(DifferenceKind)
    if as_csv:
        _read(settings, job, kinds, limit, lambda _, rows: _print_csv(rows))
    elif as_json:
        lists: dict[str, list[Row]] = {}
        _read(settings, job, kinds, limit, lambda kind, rows: lists.update({kind: list(rows)}))
        print_json(comparison | {"rows": lists})
    else:
        _print_comparisons([comparison])
        _read(settings, job, kinds, limit, _print_rows)


def _read(
    settings: "Settings",
    job: int,
    kinds: Sequence[DifferenceKind],
    limit: int,
    take: Callable[[DifferenceKind, Iterable[Row]], None],
) -> None:
    from orca_daemon.operations.comparison import read_report

    run(read_report(settings, job, kinds, limit or None, take))


def _print_comparisons(comparisons: Iterable[Row]) -> None:
    columns = ("id", "bucket", "inventory of", "status", "finished")
    counts = ("#phantoms", "#orphans", "#mismatches", "error")
    print_table(
        columns + counts,
        (
            (
                *(row["id"], row["bucket"], format_time(row["inventory_creation_time"]), row["status"]),
                *(format_time(row["end_time"]), row["phantom"], row["orphan"], row["mismatch"]),
                row["error_message"],
            )
            for row in comparisons
        ),
    )


def _print_rows(kind: DifferenceKind, rows: Iterable[Row]) -> None:
    limited = list(rows)
    if limited:
        cells = (tuple(_iso(value) for value in row.values()) for row in limited)
        print_table(list(limited[0]), cells, title=kind)


def _print_csv(rows: Iterable[Row]) -> None:
    writer, terminal = csv.writer(sys.stdout), sys.stdout.isatty()
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(row)
        writer.writerow(_cell(value, terminal=terminal) for value in row.values())


def _cell(value: object, *, terminal: bool) -> object:
    """The value for a cell of CSV: never a formula, and on a terminal without control characters."""
    if not isinstance(value, str):
        return _iso(value)
    text = f"'{value}" if value.startswith(_FORMULAS) else value
    return printable(text) if terminal else text


def _iso(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
