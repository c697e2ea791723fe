"""`--help`: every command has an example, and its text fits a narrow terminal."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
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
    result = CliRunner().invoke(app, arguments, terminal_width=80)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("path", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_the_help_of_a_command_has_an_example(path: tuple[str, ...]) -> None:
    words = " ".join(path).replace("QUEUE", "recovery")  # it stands for the name of any queue
    assert f"  orca-daemon {words} " in output(*path, "--help") + " "


@pytest.mark.parametrize("group", [(), ("local",), ("send",), ("dlq",), ("db",)])
def test_the_list_of_commands_has_whole_sentences(group: tuple[str, ...]) -> None:
    _, _, listed = output(*group, "--help").partition("Commands:")
    assert listed
    assert "..." not in listed


@pytest.mark.parametrize(
    "path",
    [*commands(typer.main.get_command(app)), (), ("send",), ("dlq",), ("db",)],
    ids=lambda path: " ".join(path) or "orca-daemon",
)
def test_h_is_help(path: tuple[str, ...]) -> None:
    assert output(*path, "-h") == output(*path, "--help")


def test_the_version_is_printed() -> None:
    assert output("--version") == f"orca-daemon {__version__}\n"


def test_no_text_of_the_program_names_a_file_that_an_installed_one_does_not_have() -> None:
    package = Path(__file__).parents[2] / "orca_daemon"
    named = {
        (path.name, node.value)
        for path in package.rglob("*.py")
        if path.name != "samples.py"  # it says where a checkout has what the wheel has, too
        for node in ast.walk(_without_docstrings(ast.parse(path.read_text("utf-8"))))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"\b(deploy|docs|requirements|tests)/", node.value)
    }

    assert named == set()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_docstring(each)]  # type: ignore[attr-defined]  # as above
    return tree


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
