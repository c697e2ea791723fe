"""The temporary folder of one comparison; also removes folders that killed daemons left.

All users share the system's temporary directory: an entry named like one of our folders may be a pipe, a
link, or belong to another user.  So links are not followed, pipes are not waited for, and all of this happens
in a thread, because it may block.
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
    """A new folder that only this user can read; it is removed on exit.

    Raises:
        OSError: the folder cannot be created.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="workspace") as thread:

        async def in_thread(function: Callable[..., T], *arguments: object) -> T:
            return await asyncio.get_running_loop().run_in_executor(thread, function, *arguments)

        folder, handle = await in_thread(_create, parent or Path(tempfile.gettempdir()))
        try:
            yield folder
        finally:
            await in_thread(_remove, folder, handle)


def sweep(base: Path) -> None:
    """Remove the folders of comparisons whose process has ended: the kernel has released their locks."""
    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # in use, another user's, not a folder, or removed just now
            _sweep_one(folder)


def _create(base: Path) -> tuple[Path, int]:
    base.mkdir(parents=True, exist_ok=True)
    sweep(base)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))  # with mode 0700
        # Another comparison may sweep it before we have opened or locked it: then try again.
        try:
            handle = os.open(folder, _FOLDERS_ONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        if folder.exists():
            return folder, handle
        os.close(handle)


def _remove(folder: Path, handle: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(handle)


def _sweep_one(folder: Path) -> None:
    handle = os.open(folder, _FOLDERS_ONLY)
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
            return
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
