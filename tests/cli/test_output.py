"""Tables without control characters, and progress bars only where they help."""

import json
import sys
from datetime import UTC, datetime

import pytest

from orca_daemon.cli.output import counted, counter, format_time, print_json, print_table, printable

T0 = datetime(2026, 11, 29, 4, 30, tzinfo=UTC)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes rich take its output for a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b[2J\x9b") == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}"


def test_a_table_shows_markup_as_text_and_none_as_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "#count"), [("[bold]x[/]", 7), (None, 0)])
    output = capsys.readouterr().out
    assert "[bold]x[/]" in output
    assert "│ -" in output


def test_times_are_iso_8601_in_json_and_seconds_in_tables(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"at": T0})
    assert json.loads(capsys.readouterr().out) == {"at": "2026-11-29T04:30:00+00:00"}
    assert (format_time(T0), format_time(None)) == ("2026-11-29 04:30:00", "-")


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
    assert sys.stderr is not None
