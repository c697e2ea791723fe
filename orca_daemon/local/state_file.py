"""A file with the state of one server: read at its start, replaced at intervals and at its end."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

EVERY = 5.0
"""Seconds between two saves; a power cut loses at most what changed since the last one."""
_SHARE = 0.05
"""Saving may take at most this share of the time."""
_PATIENCE = 30.0
"""Seconds to wait for a server whose parent was killed, while it writes its state and ends."""


class StateFileError(Exception):
    """The file cannot be used; the text says why, and what to do."""


class StateFile:
    """A file that this process locks until `close` or its end.

    Raises:
        StateFileError: another process has locked it and does not end.
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

    def read(self, load: Callable[[bytes], None]) -> None:
        """Call `load` with the content, if the file exists.

        Raises:
            StateFileError: the content is damaged, or of another version.
        """
        if not self._path.exists():
            return
        try:
            load(self._path.read_bytes())
        except Exception as error:
            raise StateFileError(
                f"{self._path} cannot be read ({type(error).__name__}): it is damaged or of another version; "
                "move it away to start without its data"
            ) from error

    def write(self, content: bytes) -> None:
        """Replace the content atomically, even if the machine stops meanwhile."""
        making = self._path.with_suffix(".making")
        with making.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        making.replace(self._path)

    def close(self) -> None:
        """Unlock it."""
        self._lock.close()

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def pause(seconds: float) -> float:
    """Seconds until the next save, if the last one took `seconds`."""
    return max(EVERY, seconds / _SHARE)
