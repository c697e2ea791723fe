"""Temporary directories in memory, for test servers that create and remove thousands of files."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  mkdtemp makes a private directory with a random name
_PREFIX = "orca-daemon-tests"
_REQUIRED_BYTES = 4 * 1024**3
"""Free space that /dev/shm must have; with less (Docker's default is 64 MB) the directory is on disk."""


@contextmanager
def directory() -> Iterator[Path]:
    """A directory that exists during the block; in memory if there is enough free memory."""
    parent = _SHARED_MEMORY if _has_space() else None
    created = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-", dir=parent))
    try:
        yield created
    finally:
        shutil.rmtree(created, ignore_errors=True)


def _has_space() -> bool:
    if not os.access(_SHARED_MEMORY, os.W_OK):
        return False
    _remove_stale()
    return shutil.disk_usage(_SHARED_MEMORY).free >= _REQUIRED_BYTES


def _remove_stale() -> None:
    """Remove the directories of test processes that were killed: they would fill the memory run by run."""
    for stale in _SHARED_MEMORY.glob(f"{_PREFIX}-*"):
        if not Path("/proc", stale.name.removeprefix(f"{_PREFIX}-").partition("-")[0]).exists():
            shutil.rmtree(stale, ignore_errors=True)
