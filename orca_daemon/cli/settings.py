"""Settings for commands: read once, and every mistake reported before the command does anything."""

import os
from collections.abc import Mapping
from pathlib import Path

import typer

from orca_daemon.settings import Settings, SettingsError, load

WRONG_SETTINGS = 78
"""Exit code for what starting again cannot mend (EX_CONFIG)."""


def settings_or_exit(
    file: Path | None = None, flags: Mapping[str, object] | None = None, *, need_queue: bool = False
) -> Settings:
    """The settings, or every mistake on standard error and exit 78."""
    _trim_for_botocore()
    try:
        return load(file or _named(), os.environ, flags, need_queue=need_queue)
    except SettingsError as error:
        typer.echo("orca-daemon: the settings are wrong:", err=True)
        for mistake in error.mistakes:
            typer.echo(f"  {mistake}", err=True)
        raise typer.Exit(WRONG_SETTINGS) from None


def _trim_for_botocore() -> None:
    """Take blanks and newlines off the ends of AWS's own variables, which botocore reads as they are."""
    for name, value in os.environ.items():
        if name.startswith("AWS_") and value != value.strip():
            os.environ[name] = value.strip()


def _named() -> Path | None:
    return Path(name) if (name := os.environ.get("ORCA_CONFIG")) else None
