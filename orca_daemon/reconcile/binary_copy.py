"""Collects the rows that Postgres copies in its binary format, as the driver passes them on.

The server sends each row as a message of its own (Postgres, "Message Formats: CopyData"), so the driver
passes on whole rows.  Nothing here needs Arrow or numpy: see `catalog_copy`.
"""

from collections.abc import Callable, Generator
from itertools import repeat

BLOCK = 16_384
"""Rows that are passed on at one time."""
_SIGNATURE, _HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0", 19, b"\xff\xff"
"""Before the first row, in the same message, and after the last one."""

Take = Callable[[list[bytes]], None]


class UnreadableError(Exception):
    """Rows of Postgres cannot be read, or are incomplete; the text names a column, and no value."""


class Rows:
    """What the driver writes to: collects rows, and passes on `BLOCK` of them at a time.

    `write` is the `send` of a generator, because a call of a Python function for each row costs as much as
    the driver's own work.
    """

    def __init__(self, take: Take) -> None:
        """`take` must not raise: the driver would leave the connection in the middle of COPY."""
        self._blocks = _blocks(take)
        next(self._blocks)
        self.write = self._blocks.send

    def close(self) -> None:
        """Pass on the last rows."""
        self._blocks.close()


def _blocks(take: Take) -> Generator[None, bytes, None]:
    while True:
        rows: list[bytes] = []
        append = rows.append
        try:
            for _ in repeat(None, BLOCK):
                append((yield))
        finally:
            take(rows)


def without_frame(rows: list[bytes]) -> list[bytes]:
    """The same list without what COPY sends before its first row and after its last one."""
    if rows and rows[0].startswith(_SIGNATURE):
        rows[0] = rows[0][_HEADER:]
    if rows and rows[-1] == _TRAILER:
        rows.pop()
    return rows
