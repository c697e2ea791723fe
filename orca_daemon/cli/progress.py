"""Progress of work on many things, on standard error."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
FEW = 10
"""No more than this are not worth a bar."""


@contextmanager
def counted(what: str, total: int, *, quiet: bool = False) -> Iterator[Callable[[], None]]:
    """A bar on a terminal; call what this yields as each of `total` things is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    off = quiet or total <= FEW or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=off) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def watched(things: Iterable[T], what: str, total: int, *, quiet: bool = False) -> Iterator[T]:
    """The same things, each counted when the next is asked for."""
    with counted(what, total, quiet=quiet) as done:
        for thing in things:
            yield thing
            done()
