"""How a listing is printed: as a table that fits the terminal, as a whole table, as CSV, or as JSON."""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import typer
from rich.cells import cell_len

from orca_daemon.cli import output
from orca_daemon.cli.exits import errors_exit
from orca_daemon.cli.table import GAP, Column, Layout, Record, Row, fitted, printable, rows_of, shortened
from orca_daemon.operations.spreadsheet import cell

Columns = tuple[Column, ...]
_COLOURS: Mapping[str, str] = {
    "pending": "yellow",
    "staged": "cyan",
    "failed": "red",
    "error": "red",
    "success": "green",
    "ok": "green",
    "advice": "yellow",
    "wrong": "red",
}
"""Colours of words that stand alone in a cell."""
_MOST_SENTENCES, _LONGEST_SENTENCE = 10, 1000
_URGENT = ("wrong", "advice")
"""Grades whose sentences come first, because only so many are printed."""


class Form(Enum):
    """In what form a listing is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class View:
    """What the options of a listing ask for."""

    form: Form = Form.TABLE
    wide: bool = False
    names: tuple[str, ...] = ()
    """The columns that were chosen, in order; empty for all."""

    def show(
        self,
        columns: Columns,
        records: Iterable[Record],
        *,
        title: str | None = None,
        empty: str | None = None,
    ) -> int:
        """Print a table or CSV, unless none of its columns was chosen; returns the number of its rows.

        Of a table without rows, `empty` is printed in its place, on standard error.
        """
        by_name = {column.name: column for column in columns}
        chosen = tuple(by_name[name] for name in self.names if name in by_name) if self.names else columns
        if not chosen:
            return 0
        try:
            printed = (
                _write_csv(chosen, records) if self.form is Form.CSV else self._table(chosen, records, title)
            )
            sys.stdout.flush()
        except UnicodeEncodeError:
            with errors_exit():
                raise
        except BrokenPipeError:
            output.reader_has_gone()
        if not printed and empty:
            output.note(empty)
        return printed

    def _table(self, columns: Columns, records: Iterable[Record], title: str | None) -> int:
        rows = rows_of(columns, records)
        if not rows:
            return 0
        width = None if self.wide else output.terminal_width()
        layout = fitted(columns, rows, width, keep=bool(self.names))
        if title:
            output.say(printable(title))
        output.say(GAP.join(layout.headings()))
        for row in rows:
            output.say(GAP.join(_coloured(row, layout)))
        if width is not None and (layout.cut or layout.left_out):
            _complete(layout, rows, width)
        return len(rows)


def view_of(
    *tables: Columns, wide: bool, columns: str | None, as_csv: bool = False, as_json: bool = False
) -> View:
    """What the options ask for, of a command with these tables.

    Raises:
        BadParameter: they contradict each other, or name a column that there is not.
    """
    if as_json and (as_csv or columns or wide):
        raise typer.BadParameter("--json prints everything: leave --csv, --columns and --wide out")
    form = Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE
    return View(form, wide, _chosen(columns, [column for table in tables for column in table]))


def columns_option(*tables: Columns) -> "typer.models.OptionInfo":
    """The option that chooses among the columns of these tables."""
    names = dict.fromkeys(column.name for table in tables for column in table)
    option: typer.models.OptionInfo = typer.Option(
        "--columns", metavar="NAME,...", help=f"Only these columns, in this order: {', '.join(names)}."
    )
    return option


def _chosen(names: str | None, columns: Sequence[Column]) -> tuple[str, ...]:
    known = {key: column.name for column in columns for key in (_key(column.heading), _key(column.name))}
    wanted = [name for name in (names or "").split(",") if name.strip()]
    for name in wanted:
        if _key(name) not in known:
            every = ", ".join(dict.fromkeys(column.name for column in columns))
            raise typer.BadParameter(f"there is no column {name.strip()!r}; there are: {every}")
    return tuple(dict.fromkeys(known[_key(name)] for name in wanted))


def _key(name: str) -> str:
    return name.removesuffix(" (UTC)").strip().lower().replace("-", "_").replace(" ", "_")


def _coloured(row: Row, layout: Layout) -> list[str]:
    cells = layout.cells(row)
    if not output.has_colours():
        return cells
    colours = (_COLOURS.get(row[column.name]) for column in layout.columns)
    return [
        typer.style(text, fg=colour) if colour else text for text, colour in zip(cells, colours, strict=True)
    ]


def _complete(layout: Layout, rows: Sequence[Row], width: int) -> None:
    """Print the sentences that the terminal's width cut, and say what else is not shown."""
    every = list(_sentences(layout, rows))
    if every:
        typer.echo()
    for sentence in every[:_MOST_SENTENCES]:
        output.say(output.wrapped(shortened(sentence, _LONGEST_SENTENCE), width, indent="  "))
    if len(every) > _MOST_SENTENCES:
        output.note(f"and {len(every) - _MOST_SENTENCES:,} more")
    what = ", ".join(column.name for column in layout.left_out)
    output.note(f"not shown: {what}; --wide shows everything" if what else "--wide shows what was cut")


def _sentences(layout: Layout, rows: Sequence[Row]) -> Iterator[str]:
    """The whole prose of each row whose prose was cut, after what it is about."""
    columns = (*layout.columns, *layout.left_out)
    about = next((column for column in columns if column.identifies), columns[0])
    prose = [column for column in columns if column.prose]
    widths = dict(zip(layout.columns, layout.widths, strict=True))
    subjects: dict[str, list[str]] = {}
    for row in sorted(rows, key=_urgency):
        said = {column: row[column.name] for column in prose if row[column.name] != "-"}
        if any(cell_len(text) > widths.get(column, 0) for column, text in said.items()):
            subjects.setdefault("; ".join(said.values()), []).append(row[about.name])
    for text, names in subjects.items():
        yield f"{names[0]}{f' and {len(names) - 1:,} more' if len(names) > 1 else ''}: {text}"


def _urgency(row: Row) -> int:
    return min((_URGENT.index(text) for text in row.values() if text in _URGENT), default=len(_URGENT))


def _write_csv(columns: Columns, records: Iterable[Record]) -> int:
    writer, terminal, written = csv.writer(sys.stdout), sys.stdout.isatty(), 0
    writer.writerow(column.name for column in columns)
    for record in records:
        writer.writerow(_csv_value(record.get(column.name), terminal=terminal) for column in columns)
        written += 1
    return written


def _csv_value(value: object, *, terminal: bool) -> object:
    """The value for a cell of CSV: never a formula, and on a terminal without control characters."""
    safe = cell(value)
    return printable(safe) if terminal and isinstance(safe, str) else safe
