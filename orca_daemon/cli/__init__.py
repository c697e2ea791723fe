"""The command line: `orca-daemon COMMAND`."""

from importlib import import_module

import typer

app = typer.Typer(
    name="orca-daemon",
    help="One long-running process that does the queue work of an ORCA archive.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

COMMANDS: tuple[str, ...] = (
    "run",
    "local",
    "send",
    "jobs",
    "recover",
    "copy",
    "reconcile",
    "reports",
    "export",
    "dlq",
    "check",
    "database",
)
"""Modules of this package; each has `register(app)`.  Listed in the order of `--help`."""

for _name in COMMANDS:
    import_module(f"orca_daemon.cli.{_name}").register(app)


@app.callback()
def options() -> None:
    """Options before the command."""
