"""`--help`: every command shows how it is called, and reads well on a narrow terminal."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from orca_daemon import __version__
from orca_daemon.cli import app


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def output(*arguments: str) -> str:
    found = CliRunner().invoke(app, arguments, terminal_width=80)
    assert found.exit_code == 0
    return found.output


@pytest.mark.parametrize("path", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_shows_an_example_of_itself(path: tuple[str, ...]) -> None:
    assert f"  orca-daemon {' '.join(path)} " in output(*path, "--help") + " "


@pytest.mark.parametrize("group", [(), ("send",), ("dlq",), ("db",)])
def test_the_list_of_commands_cuts_no_sentence(group: tuple[str, ...]) -> None:
    _, _, listed = output(*group, "--help").partition("Commands:")
    assert listed
    assert "..." not in listed


def test_the_version_is_printed() -> None:
    assert output("--version") == f"orca-daemon {__version__}\n"
