"""What commands print: JSON on standard output, notes and progress bars on standard error."""

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

from orca_daemon.cli.table import GAP, Column, fitted, printable, rows_of

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

T = TypeVar("T")
FORMAT = 1
"""Changes if a key of `--json` is removed or gets another meaning; new keys do not change it."""
_FEWEST_FOR_A_BAR = 11
_UNKNOWN_WIDTH = 80
_LEAST = 20


def envelope(kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The object, with what every object of `--json` has: its command, and the number of the format."""
    return {"kind": kind, "format": FORMAT, **document}


def print_json(kind: str, document: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Print one object in its envelope."""
    print_any_json(envelope(kind, document), indent=indent)


def print_any_json(document: object, *, indent: int | None = 2) -> None:
    """Print JSON as it is; times in ISO 8601."""
    _write(json.dumps(document, indent=indent, default=lambda value: value.isoformat()))


def note(text: str) -> None:
    """Print a sentence about the result on standard error, so that a pipe gets the result only."""
    text = printable(text)
    typer.echo(wrapped(text, _width()) if sys.stderr.isatty() else text, err=True)


def wrapped(text: str, width: int, *, indent: str = "") -> str:
    """The text in lines of this width; ids and keys stay whole, so that they can be copied."""
    return textwrap.fill(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def say(text: str) -> None:
    """Print a line of a result; a terminal gets a question mark for what its encoding does not have.

    Raises UnicodeEncodeError without a terminal; `typer.echo` would write question marks there too.
    """
    if sys.stdout.isatty() and (encoding := sys.stdout.encoding):
        text = text.encode(encoding, "replace").decode(encoding)
    _write(text)


def _write(text: str) -> None:
    """Print a line; if the reader has gone, end without a word, and not as if an operation had failed."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        reader_has_gone()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print a small table without options of its own; a listing has a `View`.

    A column whose name begins with `#` holds numbers.  The first column is never cut, and the last is left
    out first.
    """
    described = tuple(
        Column(
            name=str(index),
            header=name.removeprefix("#").upper(),
            number=name.startswith("#"),
            rank=index,
            least=_LEAST if index and not name.startswith("#") else None,
            middle=True,
        )
        for index, name in enumerate(columns)
    )
    texts = rows_of(described, ({str(index): value for index, value in enumerate(row)} for row in rows))
    layout = fitted(described, texts, terminal_width())
    if title:
        say(printable(title))
    for cells in (layout.headings(), *map(layout.cells, texts)):
        say(GAP.join(cells))
    if layout.left_out:
        hidden = ", ".join(column.heading.lower() for column in layout.left_out)
        note(f"the terminal is too narrow for: {hidden}; a pipe gets everything")


def reader_has_gone() -> NoReturn:
    """Exit 1 without a word, as when `head` has read enough; the interpreter's last flush fails no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(1)


def terminal_width() -> int | None:
    """The width of the terminal that standard output is; None for a pipe or a file."""
    return _width() if sys.stdout.isatty() else None


def _width() -> int:
    return shutil.get_terminal_size().columns or _UNKNOWN_WIDTH


def has_colours() -> bool:
    """Whether the reader of standard output wants colours; see https://no-color.org."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") not in {"dumb", "unknown"}
    )


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
