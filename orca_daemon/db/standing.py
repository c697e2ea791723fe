"""How the recoveries stand, once a minute: for gauges and their alerts."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import structlog
from sqlalchemy import Connection

from orca_daemon.db.database import Database
from orca_daemon.db.sql import load
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.wire.status import RecoveryStatus

SECONDS = 60.0
_SQL = load(__package__, "standing.sql")
Standing: TypeAlias = tuple[Mapping[str, int], float | None]


async def watch(
    database: Database,
    show: Callable[[Mapping[str, int], float | None, float], None],
    sleep: Callable[[float], Any] = asyncio.sleep,
) -> None:
    """Ask for ever; a supervised task.  A database that is down is the breakers' business."""
    while True:
        try:
            show(*await database.transact(standing), time.time())
        except DependencyDown:
            pass
        except Exception as error:  # noqa: BLE001  a gauge that cannot be read ends no process; its age tells
            structlog.get_logger().warning("recoveries.unknown", error=type(error).__name__)
        await sleep(SECONDS)


def standing(connection: Connection) -> Standing:
    """Files of open and recent recoveries by status, and when the oldest open one was requested (epoch)."""
    files = {
        RecoveryStatus(status).name.lower(): count
        for status, count in connection.execute(_SQL["recent_files"])
    }
    oldest = connection.execute(_SQL["oldest_open"]).scalar_one()
    return files, None if oldest is None else float(oldest)
