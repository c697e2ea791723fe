"""`orca-daemon db`: the state of the database, and its upgrade."""

from typing import TYPE_CHECKING, Annotated

import typer

from orca_daemon.cli.confirm import confirm
from orca_daemon.cli.exits import FAILED, errors_exit, run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.output import print_json, print_table

if TYPE_CHECKING:
    from orca_daemon.db.schema import Schema


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Show the state of the database, and upgrade it.", no_args_is_help=True)
    group.command("status")(status)
    group.command("upgrade")(upgrade)
    app.add_typer(group, name="db")


def status(config: Config = None, as_json: AsJson = False) -> None:
    """Show the state of the database, and what an upgrade would do.

    Exits 0 if the daemon can work with it, 1 if it needs an upgrade first.

    \b
    orca-daemon db status --json
    """
    from orca_daemon.operations.database import database_address
    from orca_daemon.operations.schema import read_state

    address = run(database_address(settings_or_exit(config)))
    with errors_exit():
        state = read_state(address)
    schema = state.schema
    if as_json:
        print_json(
            "db status",
            {
                "verdict": schema.verdict.name.lower(),
                "version": schema.version,
                "recorded_version": schema.recorded,
                "missing_indexes": list(schema.missing_indexes),
                "usable": state.usable,
                "steps": state.steps,
            },
        )
    else:
        _print_schema(schema)
        _print_steps(state.steps, "An upgrade would:")
    raise typer.Exit(0 if state.usable else FAILED)


def upgrade(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps, change nothing.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Create the schema, or bring ORCA's (version 5 or later) up to date.

    Shows first what it will do.  Runs as ORCA's administrator if the secret names one, else as the user of
    the settings, who must own the schema or may create it.  Safe to run twice, and beside a running daemon.

    \b
    orca-daemon db upgrade --dry-run
    orca-daemon db upgrade --yes
    """
    from orca_daemon.db import migrate
    from orca_daemon.operations.database import database_address
    from orca_daemon.operations.schema import upgrade_steps

    address = run(database_address(settings_or_exit(config), owner=True))
    with errors_exit(migrate.UpgradeError):
        steps = upgrade_steps(address)
    if not as_json:
        host = address.host or "this machine"
        _print_steps(steps, f"In the database {address.database} on {host}, this will:")
    if dry_run or not steps:
        _print_end(steps, as_json=as_json, done=not steps)
        return
    confirm("Continue?", yes=yes, as_json=as_json)
    with errors_exit(migrate.UpgradeError):
        taken = migrate.upgrade(address, lambda step: typer.echo(f"… {step}", err=True))
    _print_end(taken, as_json=as_json, done=True)


def _print_end(steps: list[str], *, as_json: bool, done: bool) -> None:
    if as_json:
        print_json("db upgrade", {"steps": steps, "done": done})
    elif done:
        typer.echo("The database is up to date.")


def _print_schema(schema: "Schema") -> None:
    version = "not an ORCA of version 5 or later" if schema.version is None else schema.version or "none"
    print_table(
        ("check", "result"),
        [
            ("state", schema.verdict.value),
            ("schema version, by its columns", version),
            ("schema version, as recorded", schema.recorded),
            ("missing indexes", len(schema.missing_indexes)),
        ],
    )


def _print_steps(steps: list[str], heading: str) -> None:
    if not steps:
        return
    typer.echo(heading)
    for step in steps:
        typer.echo(f"  - {step}")
