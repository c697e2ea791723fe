"""Hashes of rows on disk, in parts by the first bits of the key's hash, each of which fits into memory."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]
"""Of shape (rows, 3): a number of the row, and the hashes of its key and of its content."""
KEY, CONTENT = 1, 2
"""Their places."""
_MOST_BITS = 8
"""Binary logarithm of the most parts: each is a file."""
_BLOCK = 65_536
"""Rows that are read at one time."""


def columns(rows: Numbers) -> tuple[npt.NDArray[np.uint64], ...]:
    """The three numbers of all rows, each as an array of its own."""
    return tuple(np.ascontiguousarray(rows[:, place]) for place in range(3))


def bits_for(rows: int, most: int) -> int:
    """Binary logarithm of the number of parts, if each shall have at most `most` of about this many rows."""
    return min((2 * rows // max(most, 1)).bit_length(), _MOST_BITS)


class Parts:
    """Rows in files; rows with the same key are in the same part.

    Args:
        folder: for the files.
        name: of the files; no two objects may have the same one.
        bits: binary logarithm of the number of parts.
    """

    def __init__(self, folder: Path, name: str, bits: int) -> None:
        self.bits = bits
        self._paths = [folder / f"{name}-{index:03}" for index in range(1 << bits)]
        with ExitStack() as stack:
            self._files = [stack.enter_context(path.open("wb")) for path in self._paths]
            self._opened = stack.pop_all()

    def add(self, rows: Numbers) -> None:
        """Write rows to their parts.  Raises OSError if the disk is full."""
        parts = (
            (rows[:, KEY] >> np.uint64(64 - self.bits)).astype(np.uint8)
            if self.bits
            else np.zeros(len(rows), np.uint8)
        )
        # By `take`, whose result has the rows one after another in memory, as files have them.
        sorted_rows = rows.take(np.argsort(parts, kind="stable"), axis=0)
        ends = np.cumsum(np.bincount(parts, minlength=len(self._files)))
        for file, start, end in zip(self._files, [0, *ends[:-1]], ends, strict=True):
            file.write(sorted_rows[start:end].data)

    def close(self) -> None:
        """End writing.  Raises OSError if the disk is full."""
        self._opened.close()

    def read(self, index: int) -> Iterator[Numbers]:
        """The rows of a part, some at a time; its file is deleted afterwards."""
        path = self._paths[index]
        with path.open("rb") as file:
            while len(numbers := np.fromfile(file, np.uint64, 3 * _BLOCK)):
                yield numbers.reshape(-1, 3)
        path.unlink()

    def read_all(self) -> Iterator[tuple[int, Numbers]]:
        """The rows of one part after another, each with the number of its part, and first none of it."""
        for index in range(len(self)):
            yield index, np.empty((0, 3), np.uint64)
            for rows in self.read(index):
                yield index, rows

    def __len__(self) -> int:
        return len(self._paths)
