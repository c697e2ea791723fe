"""`orca-daemon reports` and `orca-daemon report`: what comparisons of S3 with the catalog found."""

import csv
import json
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.settings import settings_or_exit
from orca_daemon.cli.times import format_time

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from orca_daemon.settings import Settings


class Kind(Enum):
    """A kind of difference."""

    PHANTOM = "phantom"
    ORPHAN = "orphan"
    MISMATCH = "mismatch"


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
    found = _jobs(settings_or_exit(config), bucket=bucket, limit=limit)
    if as_json:
        _print_json(found)
    else:
        _show_jobs(found)


def report(
    job: Annotated[int, typer.Argument(metavar="ID", help="Id of the job, as `reports` lists it.")],
    kind: Annotated[Kind | None, typer.Option(help="Only differences of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="The most rows of a kind; 0 is all.")] = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV; needs --kind.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show what one comparison found.  Exits 1 when there is no such job.

    In CSV, a text that a spreadsheet would take for a formula begins with an apostrophe; --json is exact.

    \b
    orca-daemon report 4711 --kind phantom --limit 0 --csv > phantoms.csv
    """
    if as_csv and (kind is None or as_json):
        raise typer.BadParameter("--csv prints one kind: name it with --kind, and leave --json out")
    settings = settings_or_exit(config)
    found = _jobs(settings, job=job, limit=1)
    if not found:
        typer.echo(f"orca-daemon: no job {job}", err=True)
        raise typer.Exit(1)
    kinds = [kind] if kind else list(Kind)
    if as_csv:
        _rows(settings, job, kinds, limit, lambda _, rows: _print_csv(rows))
    elif as_json:
        lists: dict[str, Any] = {}
        _rows(settings, job, kinds, limit, lambda each, rows: lists.update({each.value: list(rows)}))
        _print_json(found[0] | {"rows": lists})
    else:
        _show_jobs(found)
        _rows(settings, job, kinds, limit, _show_rows)


def _jobs(settings: "Settings", **chosen: Any) -> list[dict[str, Any]]:
    from orca_daemon.cli.connections import database, run
    from orca_daemon.reconcile.reports import find_jobs

    async def ask() -> list[dict[str, Any]]:
        async with database(settings) as db:
            return await db.transact(find_jobs, **chosen)

    return run(ask())


Take = Callable[[Kind, Iterable[dict[str, Any]]], None]


def _rows(settings: "Settings", job: int, kinds: list[Kind], limit: int, take: Take) -> None:
    """Give the rows of each kind to `take`, while they come: there may be millions."""
    from orca_daemon.cli.connections import database, run
    from orca_daemon.reconcile.reports import report as read

    def work(connection: "Connection") -> None:
        for kind in kinds:
            take(kind, read(connection, job, kind.value, limit or None))

    async def ask() -> None:
        async with database(settings) as db:
            await db.stream(work)

    run(ask())


def _show_jobs(found: list[dict[str, Any]]) -> None:
    from orca_daemon.cli.tables import show

    columns = ("id", "bucket", "inventory of", "status", "finished")
    counts = ("#phantoms", "#orphans", "#mismatches", "error")
    show(
        columns + counts,
        (
            (
                *(row["id"], row["bucket"], format_time(row["inventory_creation_time"]), row["status"]),
                *(format_time(row["end_time"]), row["phantom"], row["orphan"], row["mismatch"]),
                row["error_message"],
            )
            for row in found
        ),
    )


def _show_rows(kind: Kind, rows: Iterable[dict[str, Any]]) -> None:
    from orca_daemon.cli.tables import show

    some = list(rows)
    if some:
        show(list(some[0]), (tuple(_text(cell) for cell in row.values()) for row in some), title=kind.value)


def _print_csv(rows: Iterable[dict[str, Any]]) -> None:
    writer, terminal = csv.writer(sys.stdout), sys.stdout.isatty()
    for place, row in enumerate(rows):
        if place == 0:
            writer.writerow(row)
        writer.writerow(_cell(cell, terminal=terminal) for cell in row.values())


_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula (OWASP: CSV injection)."""


def _cell(value: object, *, terminal: bool) -> object:
    """The value as CSV may hold it: never a formula, and on a terminal nothing that commands it."""
    from orca_daemon.cli.tables import plain

    if not isinstance(value, str):
        return _text(value)
    text = f"'{value}" if value.startswith(_FORMULAS) else value
    return plain(text) if terminal else text


def _print_json(document: object) -> None:
    typer.echo(json.dumps(document, indent=2, default=lambda moment: moment.isoformat()))


def _text(cell: object) -> object:
    return cell.isoformat() if isinstance(cell, datetime) else cell
