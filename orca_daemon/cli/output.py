"""What commands print: tables and JSON on standard output, progress bars on standard error."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

T = TypeVar("T")
_FEWEST_FOR_A_BAR = 11
_PIPED_WIDTH = 240
"""Columns of a table that is not printed on a terminal, so that cells are not folded."""
_STYLES: Mapping[str, str] = {
    "pending": "yellow",
    "staged": "cyan",
    "failed": "red",
    "success": "green",
}
"""Colours of words that stand alone in a cell."""


def print_json(document: object, *, indent: int | None = 2) -> None:
    """Print JSON; times in ISO 8601."""
    typer.echo(json.dumps(document, indent=indent, default=lambda value: value.isoformat()))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print a table.  A column whose name begins with `#` holds numbers."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title) if title else None, title_justify="left")
    for column in columns:
        table.add_column(
            column.removeprefix("#"), justify="right" if column.startswith("#") else "left", overflow="fold"
        )
    for row in rows:
        cells = [printable("-" if cell is None else str(cell)) for cell in row]
        # As `Text`, because rich would take brackets in a string for its markup.
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells))
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    console.print(table)


def printable(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def format_time(when: datetime | None) -> str:
    """To the second, in UTC; a dash for None."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if when else "-"


def format_bytes(size: int) -> str:
    """With the largest unit of 1024 that leaves a digit before the point."""
    value, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024:  # noqa: PLR2004  the base of these units
            break
        value, unit = value / 1024, larger
    return f"{size:,} B" if unit == "B" else f"{value:,.1f} {unit}"


def progress_bar(*columns: "ProgressColumn", quiet: bool = False) -> "Progress":
    """A progress display on standard error, so that the result can be piped; only on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


@contextmanager
def counter(description: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar of things that are done; call what this yields with the number done and the number of all.

    A few things get no bar.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = progress_bar(*columns, TimeRemainingColumn(), quiet=quiet)
    task = bar.add_task(description, total=None)

    def count(done: int, total: int) -> None:
        if total >= _FEWEST_FOR_A_BAR:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield count
    finally:
        if bar.live.is_started:
            bar.stop()


def counted(things: Iterable[T], description: str, total: int, *, quiet: bool = False) -> Iterator[T]:
    """The same things, with a bar; a thing counts as done when the next one is requested."""
    with counter(description, quiet=quiet) as count:
        for done, thing in enumerate(things, 1):
            yield thing
            count(done, total)
