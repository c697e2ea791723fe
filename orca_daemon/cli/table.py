"""A table in plain text: aligned columns, cut to the width of a terminal, and whole without one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise, takewhile

from rich.cells import cell_len, set_cell_size

Record = Mapping[str, object]
"""A value for the name of each column."""
Row = Mapping[str, str]
"""The texts of a record."""
GAP = "  "
_ELLIPSIS = "…"
_MOST_PADDING = 256
"""A wider cell moves the rest of its line, instead of filling every other line with blanks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: what it is called, and what may happen to it where not all columns fit."""

    name: str
    """The field's name in `--json` and `--csv`, and for `--columns`."""
    header: str = ""
    """Its heading in a table; by default the name in capitals."""
    rank: int = 0
    """The column with the highest rank is left out first."""
    least: int | None = None
    """The fewest cells that it may be cut to; None: it is never cut."""
    middle: bool = False
    """Cut it in the middle, as both ends of a key or a file name tell it from others."""
    number: bool = False
    identifies: bool = False
    """It tells the rows apart: if its end is cut, what is left is still different for each."""
    prose: bool = False
    """Sentences, which are repeated below the table if they are cut."""
    extra: bool = False
    """Shown only where nothing but prose has to be cut for it."""

    @property
    def heading(self) -> str:
        """The text above the column."""
        return self.header or self.name.replace("_", " ").upper()


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that are shown, with the width of each in cells."""

    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    whole: bool
    """Whether longer texts are printed as they are."""
    left_out: tuple[Column, ...] = ()
    cut: tuple[Column, ...] = ()

    def headings(self) -> list[str]:
        """The cells of the first line."""
        return self._padded([column.heading for column in self.columns])

    def cells(self, row: Row) -> list[str]:
        """The cells of one line, each cut and padded to its width; a text at the end is not padded."""
        texts = [row[column.name] for column in self.columns]
        if not self.whole:
            texts = [
                shortened(text, width, middle=column.middle)
                for column, width, text in zip(self.columns, self.widths, texts, strict=True)
            ]
        return self._padded(texts)

    def _padded(self, texts: Sequence[str]) -> list[str]:
        blanks = [" " * (width - cell_len(text)) for width, text in zip(self.widths, texts, strict=True)]
        if self.columns and not self.columns[-1].number:
            blanks[-1] = ""
        return [
            blank + text if column.number else text + blank
            for column, blank, text in zip(self.columns, blanks, texts, strict=True)
        ]


def rows_of(columns: Sequence[Column], records: Iterable[Record]) -> list[Row]:
    """The texts of each record."""
    return [
        {column.name: cell(record.get(column.name), number=column.number) for column in columns}
        for record in records
    ]


def cell(value: object, *, number: bool = False) -> str:
    """A value as a table shows it: None as a dash, times in UTC, digits of numbers in groups of three."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return format_time(value)
        case int() if number:
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
    return printable(str(value))


def printable(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def format_time(when: datetime | None) -> str:
    """To the second, in UTC, in a form that `--since` takes; a dash for None."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if when else "-"


def fitted(
    columns: Sequence[Column], rows: Sequence[Row], width: int | None, *, keep: bool = False
) -> Layout:
    """Which columns fit into `width` cells, and how wide each is; without a width, all, and nothing is cut.

    No more columns than necessary are left out, those of the highest rank first.  Then prose is cut, and then
    the columns of the highest rank.  If `keep`, none is left out.
    """
    natural = {column: _natural(column, rows) for column in columns}
    if width is None:
        widths = tuple(min(natural[column], _MOST_PADDING) for column in columns)
        return Layout(tuple(columns), widths, whole=True)
    floors = {column: _floor(column, rows, natural[column]) for column in columns}
    uncut = {column: floors[column] if column.prose else natural[column] for column in columns}
    by_rank, shown = sorted(columns, key=lambda column: column.rank), list(columns)
    while not keep and len(shown) > 1:
        wanted = uncut if by_rank[-1].extra else floors
        if _total(wanted[column] for column in shown) <= width:
            break
        shown.remove(by_rank.pop())
    spare = max(0, width - _total(floors[column] for column in shown))
    given: dict[Column, int] = {}
    for column in sorted(by_rank, key=lambda column: column.prose):
        more = min(spare, natural[column] - floors[column])
        given[column], spare = floors[column] + more, spare - more
    return Layout(
        tuple(shown),
        tuple(given[column] for column in shown),
        whole=False,
        left_out=tuple(column for column in columns if column not in given),
        cut=tuple(column for column in shown if given[column] < natural[column]),
    )


def shortened(text: str, width: int, *, middle: bool = False) -> str:
    """The text in at most `width` cells; an ellipsis stands for what was cut, at the end or in the middle."""
    if cell_len(text) <= width:
        return text
    tail = (width - 1) // 2 if middle else 0
    end = set_cell_size(text[::-1], tail)[::-1]
    return set_cell_size(text, width - 1 - tail) + _ELLIPSIS + end


def _natural(column: Column, rows: Iterable[Row]) -> int:
    return max([len(column.heading), *(cell_len(row[column.name]) for row in rows)])


def _floor(column: Column, rows: Iterable[Row], natural: int) -> int:
    """The fewest cells that show this column."""
    if column.least is None:
        return natural
    least = max(column.least, len(column.heading))
    if column.identifies and not column.middle:
        least = max(least, _telling(row[column.name] for row in rows))
    return min(natural, least)


def _telling(texts: Iterable[str]) -> int:
    """The number of cells after which a cut leaves different texts different."""
    most = 0
    for one, other in pairwise(sorted(set(texts))):
        pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
        common = sum(1 for _ in pairs)
        most = max(most, cell_len(other[: common + 1]) + len(_ELLIPSIS))
    return most


def _total(widths: Iterable[int]) -> int:
    every = list(widths)
    return sum(every) + len(GAP) * (len(every) - 1)
