"""A folder for one comparison, gone with it; what a killed daemon left is removed by the next.

The system's temporary directory is everybody's: what is named like a folder of ours may be a pipe, a link or
another user's.  Nothing of that is followed or waited for, and none of it happens in the event loop.
"""

import asyncio
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_PREFIX = "orca-reconcile-"
_FOLDERS_ONLY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@asynccontextmanager
async def workspace(parent: Path | None) -> AsyncIterator[Path]:
    """A new folder, readable by nobody else.

    Raises:
        OSError: there can be none.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="workspace") as thread:

        async def off_the_loop(work: Callable[..., T], *arguments: object) -> T:
            return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)

        folder, handle = await off_the_loop(_made, parent or Path(tempfile.gettempdir()))
        try:
            yield folder
        finally:
            await off_the_loop(_removed, folder, handle)


def sweep(base: Path) -> None:
    """Remove the folders of comparisons whose process is gone: the kernel gave their locks back."""
    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else's, no folder, or gone just now
            _sweep_one(folder)


def _made(base: Path) -> tuple[Path, int]:
    base.mkdir(parents=True, exist_ok=True)
    sweep(base)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))  # for this user alone
        handle = os.open(folder, _FOLDERS_ONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if folder.exists():
            return folder, handle
        os.close(handle)  # swept away before the lock was ours


def _removed(folder: Path, handle: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(handle)


def _sweep_one(folder: Path) -> None:
    handle = os.open(folder, _FOLDERS_ONLY)
    try:
        found = os.fstat(handle)
        if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
            return
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
