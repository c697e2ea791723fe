"""A file that dead letters are exported to: lines that survive a power cut, none of them twice."""

import fcntl
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from orca_daemon.aws.dead_letter import DeadLetter
from orca_daemon.operations.dead_letter_line import (
    NotDeadLettersError,
    holds_other,
    ids_in,
    line_of,
    start_of,
)


class ExportFile:
    """An open file, which no other export writes to.

    One that exists is continued, if it holds dead letters of the queue.  What a process that was killed wrote
    of its last line is cut off: that dead letter was not deleted, and comes again.
    """

    batch = 10
    """A sync of the disk for each receive."""

    def __init__(self, path: Path, queue: str) -> None:
        """Open or create it, readable for its owner only: bodies may hold secrets.

        Raises:
            OSError: it cannot be opened, or another export writes to it (`BlockingIOError`).
            NotDeadLettersError: it holds something else.
        """
        self._path = path
        self._queue = queue
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.known = self._read()
            os.fsync(self._file)  # of a killed process; what is in the file is deleted from the queue at once
            _sync_folder(path.absolute().parent)
        except BaseException:
            self.close()
            raise

    @property
    def names(self) -> list[str]:
        """What was written."""
        return [str(self._path)]

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Append those that the file does not have; they are on the disk when this returns.

        Raises:
            OSError: they cannot be written.
        """
        fresh = [letter for letter in letters if letter.id not in self.known]
        data = b"".join(line_of(letter, self._queue) for letter in fresh)
        written = 0
        while written < len(data):
            written += os.write(self._file, data[written:])
        if data:
            os.fsync(self._file)
        self.known |= {letter.id for letter in fresh}

    def close(self) -> None:
        """Close it; other exports may write to it."""
        os.close(self._file)

    def _read(self) -> set[str]:
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise NotDeadLettersError(f"{self._path} is not a file")
        with open(self._file, "rb", closefd=False) as file:
            *lines, torn = file.read().split(b"\n")
        start = start_of(self._queue)
        ids = ids_in(lines, self._queue, str(self._path))
        if torn:
            if not (torn.startswith(start) or start.startswith(torn)):
                raise NotDeadLettersError(holds_other(str(self._path), self._queue))
            os.ftruncate(self._file, sum(len(line) + 1 for line in lines))
        return ids


def _sync_folder(folder: Path) -> None:
    """Make the entry of a new file durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
