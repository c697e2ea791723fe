"""A directory in memory for servers of tests, which make and remove files by the thousand."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHARED = Path("/dev/shm")  # noqa: S108  what is made there is closed, and named at random
_PREFIX = "orca-daemon-tests"
_ENOUGH = 4 * 1024**3
"""Bytes that have to be free; where there are fewer, as in a container's default, the disk serves as well."""


@contextmanager
def directory() -> Iterator[Path]:
    """A directory that goes with the block, in memory where there is room."""
    folder = _SHARED if _roomy() else None
    made = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _roomy() -> bool:
    if not os.access(_SHARED, os.W_OK):
        return False
    _sweep()
    return shutil.disk_usage(_SHARED).free >= _ENOUGH


def _sweep() -> None:
    """Remove what a killed run left: nobody looks there."""
    for left in _SHARED.glob(f"{_PREFIX}-*"):
        if not Path("/proc", left.name.removeprefix(f"{_PREFIX}-").partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
