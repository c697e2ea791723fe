"""`orca-daemon db`: what the database looks like, and bringing it up to date."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.settings import settings_or_exit
from orca_daemon.settings import Settings

if TYPE_CHECKING:
    from orca_daemon.db.address import DatabaseAddress
    from orca_daemon.db.schema import Schema


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The database: its state, and bringing it up to date.", no_args_is_help=True)
    group.command("status")(status)
    group.command("upgrade")(upgrade)
    app.add_typer(group, name="db")


def status(config: Config = None, as_json: AsJson = False) -> None:
    """Say what the database looks like, and what an upgrade would do.

    Exits 0 when the daemon can work with it, 1 when it needs an upgrade first.

    \b
    orca-daemon db status --json
    """
    from orca_daemon.db import migrate
    from orca_daemon.db.schema import SchemaVerdict

    found = _guarded(lambda: migrate.status(_address(settings_or_exit(config))))
    usable = found.verdict in {SchemaVerdict.OK, SchemaVerdict.SLOW}
    steps = [] if found.verdict is SchemaVerdict.FOREIGN else migrate.plan(found)
    if as_json:
        _print(_facts(found) | {"usable": usable, "steps": steps})
    else:
        _describe(found)
        _list(steps, "An upgrade would:")
    raise typer.Exit(0 if usable else 1)


def upgrade(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Create the schema, or bring ORCA's (version 5 or later) up to date.

    Says first what it will do.  Runs as the owner: ORCA's secret names the administrator, else the user of
    the settings it is.  Safe to run twice, and beside a running daemon.

    \b
    orca-daemon db upgrade --dry-run
    orca-daemon db upgrade --yes
    """
    from orca_daemon.db import migrate

    address = _guarded(lambda: _address(settings_or_exit(config), owner=True))
    steps = _guarded(lambda: migrate.plan(migrate.status(address)))
    if not as_json:
        _list(steps, f"In the database {address.database} on {address.host or 'this machine'}, this will:")
    if dry_run or not steps:
        _print_end(steps, as_json=as_json, done=not steps)
        return
    if not yes:
        _ask(as_json=as_json)
    taken = _guarded(lambda: migrate.upgrade(address, lambda step: typer.echo(f"… {step}", err=True)))
    _print_end(taken, as_json=as_json, done=True)


def _ask(*, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        typer.echo("orca-daemon: stdin is not a terminal; pass --yes or --dry-run", err=True)
        raise typer.Exit(2)
    typer.confirm("Go on?", abort=True)


def _print_end(steps: list[str], *, as_json: bool, done: bool) -> None:
    if as_json:
        _print({"steps": steps, "done": done})
    elif done:
        typer.echo("The database is up to date.")


def _address(settings: Settings, *, owner: bool = False) -> "DatabaseAddress":
    from orca_daemon.cli.connections import address, run

    return run(address(settings, owner=owner))


def _guarded(work: Any) -> Any:
    """The result of the work; what is wrong with the database is reported in one line."""
    from orca_daemon.db.address import AddressError
    from orca_daemon.db.failures import PostgresError
    from orca_daemon.db.migrate import UpgradeError
    from orca_daemon.engine.errors import DependencyDown, Reject

    try:
        return work()
    except AddressError as error:
        code, text = 78, str(error)
    except (UpgradeError, DependencyDown, PostgresError, Reject) as error:
        code, text = 1, str(error)
    typer.echo(f"orca-daemon: {text}", err=True)
    raise typer.Exit(code)


def _facts(found: "Schema") -> dict[str, Any]:
    return {
        "verdict": found.verdict.name.lower(),
        "version": found.version,
        "recorded_version": found.recorded,
        "missing_indexes": list(found.missing_indexes),
    }


def _describe(found: "Schema") -> None:
    from orca_daemon.cli.tables import show

    version = "not an ORCA of version 5 or later" if found.version is None else found.version or "none"
    show(
        ("", "found"),
        [
            ("state", found.verdict.value),
            ("schema version, by its columns", version),
            ("schema version, as recorded", found.recorded),
            ("our indexes that are missing", len(found.missing_indexes)),
        ],
    )


def _list(steps: list[str], heading: str) -> None:
    if not steps:
        return
    typer.echo(heading)
    for step in steps:
        typer.echo(f"  - {step}")


def _print(facts: dict[str, Any]) -> None:
    typer.echo(json.dumps(facts, indent=2))
