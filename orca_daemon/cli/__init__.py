"""The command line: `orca-daemon COMMAND`."""

from importlib import import_module
from typing import Annotated

import typer

from orca_daemon import __version__

app = typer.Typer(
    name="orca-daemon",
    help="""One long-running process that does the queue work of an ORCA archive.

    Every command reads the same settings: a file (--config or ORCA_CONFIG), then the environment
    (ORCA_<SECTION>__<KEY>, and ORCA's own names).  Wrong settings exit with 78, wrong usage with 2.

    \b
    orca-daemon local --demo      try it, with everything embedded
    orca-daemon db upgrade        create the schema, or adopt ORCA's
    orca-daemon check             check that everything is usable
    orca-daemon run               consume the queues
    """,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # rich keeps the line breaks of docstrings even if the terminal is narrower
    pretty_exceptions_enable=False,
)

COMMANDS: tuple[str, ...] = (
    "run",
    "status",
    "steer",
    "console",
    "local",
    "send",
    "restore",
    "jobs",
    "recover",
    "copy",
    "catalog",
    "reconcile",
    "reports",
    "export",
    "dlq",
    "failures",
    "check",
    "database",
    "config",
    "policy",
)
"""Modules of this package; each has `register(app)`.  Listed in the order of `--help`."""

for _name in COMMANDS:
    import_module(f"orca_daemon.cli.{_name}").register(app)


def _print_version(requested: bool) -> None:  # noqa: FBT001  as typer calls it
    if requested:
        typer.echo(f"orca-daemon {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""
