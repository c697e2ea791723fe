"""`orca-daemon config`: the sample settings file."""

import typer

from orca_daemon.cli.samples import SETTINGS, sample


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("config")(config)


def config() -> None:
    """Print a settings file with every setting and its default.

    Nothing in it is set: put in the URLs of your queues and the address of your database, and name the file
    with --config or ORCA_CONFIG.  'orca-daemon run --print-config' shows the settings in use instead.

    \b
    orca-daemon config
    orca-daemon config >orca-daemon.toml
    orca-daemon check --config orca-daemon.toml
    """
    typer.echo(sample(SETTINGS), nl=False)
