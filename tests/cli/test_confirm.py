"""Asking before something is changed: who cannot be asked passes a flag, or the command exits 2."""

import sys
from io import StringIO

import pytest
import typer

from orca_daemon.cli import confirm as module
from orca_daemon.cli.confirm import confirm


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What is typed at the terminal."""
    typed = StringIO()
    monkeypatch.setattr(module, "is_terminal", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)
    return typed


def test_the_question_is_on_standard_error(terminal: StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.write("y\n")
    terminal.seek(0)

    confirm("Continue?", yes=False, as_json=False)

    assert capsys.readouterr().err == "Continue? [y/N]:"


def test_no_ends_the_command(terminal: StringIO) -> None:
    terminal.write("n\n")
    terminal.seek(0)

    with pytest.raises(typer.Abort):
        confirm("Continue?", yes=False, as_json=False)


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "JSON"])
def test_yes_answers_the_question(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: FBT001  parametrised
    confirm("Continue?", yes=True, as_json=as_json)

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("as_json", "reason"),
    [(False, "stdin is not a terminal"), (True, "--json and --csv cannot ask")],
    ids=["no terminal", "JSON"],
)
def test_a_command_that_cannot_ask_exits_2(
    as_json: bool,  # noqa: FBT001  parametrised
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "is_terminal", lambda: False)

    with pytest.raises(typer.Exit) as exit_:
        confirm("Continue?", yes=False, as_json=as_json)

    assert exit_.value.exit_code == 2
    assert capsys.readouterr().err == f"orca-daemon: {reason}; pass --yes or --dry-run\n"
