"""Tables: nothing is cut without a terminal, nothing is wider than one, and columns stay aligned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from orca_daemon.cli.table import GAP, Column, cell, fitted, format_time, printable, rows_of, shortened
from tests.cli.test_output import T0

COLUMNS = (
    Column(name="id", least=8, identifies=True),
    Column(name="key", rank=2, least=10, middle=True),
    Column(name="size", rank=3, number=True),
    Column(name="owner", rank=4, least=6, extra=True),
    Column(name="reason", rank=1, least=12, prose=True),
)
HOSTILE = st.text(
    st.one_of(st.characters(), st.sampled_from("\x1b\x9b\n\r\t\u202e\u200b\ufeff\u0301日本🚀[]%{}")),
    max_size=60,
)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "id": HOSTILE,
            "key": HOSTILE,
            "size": st.none() | st.integers(),
            "owner": st.none() | HOSTILE,
            "reason": HOSTILE,
        }
    ),
    min_size=1,
    max_size=5,
)


def lines(records: list[dict[str, object]], width: int | None) -> list[str]:
    rows = rows_of(COLUMNS, records)
    layout = fitted(COLUMNS, rows, width)
    return [GAP.join(cells) for cells in (layout.headings(), *map(layout.cells, rows))]


@given(RECORDS)
def test_without_a_terminal_every_value_is_whole_and_on_its_line(records: list[dict[str, object]]) -> None:
    _, *printed = lines(records, None)
    assert len(printed) == len(records)
    for record, line in zip(records, printed, strict=True):
        for column in COLUMNS:
            assert cell(record[column.name], number=column.number) in line


@given(RECORDS, st.integers(80, 200))
def test_a_line_is_printable_and_no_wider_than_the_terminal(
    records: list[dict[str, object]], width: int
) -> None:
    for line in lines(records, width):
        assert line.isprintable()
        assert cell_len(line) <= width


@given(RECORDS, st.none() | st.integers(80, 200))
def test_a_column_begins_or_ends_at_one_place(records: list[dict[str, object]], width: int | None) -> None:
    rows = rows_of(COLUMNS, records)
    layout = fitted(COLUMNS, rows, width)
    for cells in (layout.headings(), *map(layout.cells, rows)):
        assert [cell_len(text) for text in cells[:-1]] == list(layout.widths[:-1])


@given(st.sets(st.text("0123456789abcdef", min_size=1, max_size=60), min_size=2, max_size=8))
def test_ids_that_are_cut_stay_different(ids: set[str]) -> None:
    columns = (Column(name="id", least=8, identifies=True), Column(name="reason", rank=1))
    rows = rows_of(columns, [{"id": each, "reason": "x" * 40} for each in sorted(ids)])
    layout = fitted(columns, rows, 50)
    assert len({layout.cells(row)[0] for row in rows}) == len(ids)


def test_the_least_important_columns_are_left_out_first_and_prose_is_cut_first() -> None:
    records = [{"id": "i" * 10, "key": "k" * 20, "size": 7, "owner": "o" * 10, "reason": "r" * 50}]
    rows = rows_of(COLUMNS, records)
    shown = {width: fitted(COLUMNS, rows, width) for width in (200, 80, 50, 40, 30)}
    assert {width: [column.name for column in layout.left_out] for width, layout in shown.items()} == {
        200: [],
        80: [],
        50: ["owner"],
        40: ["owner"],
        30: ["key", "size", "owner"],
    }
    assert [column.name for column in shown[80].cut] == ["reason"]
    assert [column.name for column in shown[40].cut] == ["id", "key", "reason"]
    kept = fitted(COLUMNS, rows, 40, keep=True)
    assert kept.left_out == ()


def test_a_very_long_value_moves_its_own_line_only() -> None:
    columns = (Column(name="key"), Column(name="size"))
    rows = rows_of(columns, [{"key": "k" * 5000, "size": 1}, {"key": "k", "size": 2}])
    layout = fitted(columns, rows, None)
    assert [len(GAP.join(layout.cells(row))) for row in rows] == [5003, 259]


@pytest.mark.parametrize(
    ("value", "number", "text"),
    [
        (None, False, "-"),
        ("", False, "-"),
        (0, True, "0"),
        (1234567, True, "1,234,567"),
        (4711, False, "4711"),
        (1234.56, True, "1,234.6"),
        (True, False, "yes"),
        (T0, False, "2026-11-29T04:30:00Z"),
        ("a\nb\x1b[31m", False, "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m"),
    ],
    ids=["none", "empty", "zero", "number", "id", "float", "truth", "time", "control characters"],
)
def test_a_cell_shows_its_value(value: object, text: str, *, number: bool) -> None:
    assert cell(value, number=number) == text


@pytest.mark.parametrize(
    ("width", "middle", "text"),
    [
        (9, False, "abcdefghi"),
        (5, False, "abcd…"),
        (5, True, "ab…hi"),
        (6, True, "abc…hi"),
        (1, True, "…"),
    ],
    ids=["fits", "end", "middle", "even", "nothing"],
)
def test_an_ellipsis_stands_for_what_was_cut(width: int, text: str, *, middle: bool) -> None:
    assert shortened("abcdefghi", width, middle=middle) == text


def test_half_of_a_wide_character_is_a_blank() -> None:
    assert shortened("日本語", 4) == "日 …"


def test_a_time_is_in_utc_and_none_is_a_dash() -> None:
    assert (format_time(T0), format_time(None)) == ("2026-11-29T04:30:00Z", "-")


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b[2J\x9b") == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}"
