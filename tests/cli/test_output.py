"""JSON in its envelope, notes beside the result, and progress bars only where they help."""

import json
import sys
from datetime import UTC, datetime

import pytest

from orca_daemon.cli import output
from orca_daemon.cli.output import counted, counter, note, print_json, print_table
from orca_daemon.cli.table import Column
from orca_daemon.cli.view import Form, View

T0 = datetime(2026, 11, 29, 4, 30, tzinfo=UTC)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes rich take its output for a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")


def test_json_has_an_envelope_and_times_in_iso_8601(capsys: pytest.CaptureFixture[str]) -> None:
    print_json("jobs", {"at": T0})
    expected = {"kind": "jobs", "format": 1, "at": "2026-11-29T04:30:00+00:00"}
    assert json.loads(capsys.readouterr().out) == expected


def test_a_note_goes_to_standard_error_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    note("a\x1b[2J\x9b")
    assert capsys.readouterr() == ("", "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}\n")


def test_csv_has_no_control_characters_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    columns = (Column(name="key"), Column(name="size"))

    View(Form.CSV).show(columns, [{"key": "esc\x1b[2J", "size": 1}])

    assert capsys.readouterr().out.splitlines() == ["key,size", "esc\N{REPLACEMENT CHARACTER}[2J,1"]


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
    ids=["xterm", "NO_COLOR empty", "NO_COLOR", "dumb"],
)
def test_colours_need_a_terminal_that_wants_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, coloured: bool
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert not output.has_colours()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert output.has_colours() is coloured


@pytest.mark.parametrize(("number", "visible"), [(10, False), (11, True)])
def test_a_few_things_get_no_bar(
    terminal: None, number: int, capsys: pytest.CaptureFixture[str], *, visible: bool
) -> None:
    assert list(counted(range(number), "sending", number)) == list(range(number))
    assert ("sending" in capsys.readouterr().err) is visible


def test_a_bar_is_shown_neither_quietly_nor_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with counter("sending") as count:
        count(1, 100)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with counter("sending", quiet=True) as count:
        count(1, 100)
    assert "sending" not in capsys.readouterr().err


def test_a_small_table_is_cut_to_a_terminal_and_says_what_it_leaves_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, rows = ("name", "#count", "key"), [("n", 1234, "k" * 40), (None, 7, "\x1b[31m")]
    print_table(columns, rows, title="title")
    assert capsys.readouterr().out.splitlines() == [
        "title",
        "NAME  COUNT  KEY",
        f"n     1,234  {'k' * 40}",
        "-         7  \N{REPLACEMENT CHARACTER}[31m",
    ]
    monkeypatch.setattr(output, "terminal_width", lambda: 34)
    print_table(columns, rows)
    assert capsys.readouterr().out.splitlines()[1] == "n     1,234  kkkkkkkkkk…kkkkkkkkkk"
    monkeypatch.setattr(output, "terminal_width", lambda: 20)
    print_table(columns, rows)
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "NAME  COUNT"
    assert err == "the terminal is too narrow for: key; a pipe gets everything\n"
