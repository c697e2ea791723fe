"""Tables on a terminal: safe for whatever text is in them, and whole when piped into a file."""

from collections.abc import Iterable, Mapping, Sequence

_PIPED_WIDTH = 240

STYLES: Mapping[str, str] = {
    "pending": "yellow",
    "staged": "cyan",
    "failed": "red",
    "success": "green",
}
"""Colours of words that stand alone in a cell."""


def show(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
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
        cells = [plain("-" if cell is None else str(cell)) for cell in row]
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    console.print(table)


def plain(text: str) -> str:
    """The text without characters that would command the terminal."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
