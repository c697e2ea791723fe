"""Asks the daemons of this machine to read their settings again."""

import os
import signal
import socket
from pathlib import Path

from orca_daemon.db import control
from orca_daemon.db.database import Database


async def daemons_here(database: Database) -> list[int]:
    """Process ids of the daemons of this database that run on this machine, in this container."""
    rows = await database.transact(control.processes)
    here = socket.gethostname()
    found = {int(row.state.get("pid", 0)) for row in rows if row.host == here}
    return sorted(pid for pid in found if is_daemon(pid))


def is_daemon(pid: int) -> bool:
    """Whether this process is a daemon; its number may belong to another one by now."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    named = any(b"orca_daemon" in each or b"orca-daemon" in each for each in arguments)
    return named and b"run" in arguments


def reload(pid: int) -> None:
    """Send SIGHUP.

    Raises:
        ProcessLookupError, PermissionError: there is no such process, or it belongs to somebody else.
    """
    os.kill(pid, signal.SIGHUP)
