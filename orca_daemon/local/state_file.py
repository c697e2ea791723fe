"""What one server keeps, as a file: read at its start, written whole while it changes and at its end."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

EVERY = 5.0
"""Seconds between two looks at what has changed, and what a power cut may cost."""
_SHARE = 0.05
_PATIENCE = 30.0
"""Seconds that a server whose parent was killed has to write its state and end."""


class StateFileError(Exception):
    """The file is of no use to this process; the sentence says why, and what to do."""


class StateFile:
    """A file that one process at a time has, until `close` or the end of the process.

    Raises:
        StateFileError: another process has it and does not end.
    """

    def __init__(self, path: Path, patience: float = _PATIENCE) -> None:
        self._path = path
        self._lock = path.with_suffix(".lock").open("w")
        deadline = time.monotonic() + patience
        while not self._locked():
            if time.monotonic() > deadline:
                self.close()
                raise StateFileError(f"another process still uses {path}: end it first")
            time.sleep(0.05)

    def read(self, take_up: Callable[[bytes], None]) -> None:
        """Hand over what was written last, if anything was.

        Raises:
            StateFileError: it is not what was written, or of another version.
        """
        if not self._path.exists():
            return
        try:
            take_up(self._path.read_bytes())
        except Exception as error:
            raise StateFileError(
                f"{self._path} cannot be read ({type(error).__name__}): it is damaged or of another version; "
                "move it away to start without what it held"
            ) from error

    def write(self, content: bytes) -> None:
        """All or nothing, also when the machine stops in the middle."""
        making = self._path.with_suffix(".making")
        with making.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        making.replace(self._path)

    def close(self) -> None:
        """Let others have it."""
        self._lock.close()

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def pause(took: float) -> float:
    """Seconds until the next look, when the last one took so long: it may cost a twentieth of the time."""
    return max(EVERY, took / _SHARE)
