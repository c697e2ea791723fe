"""Removes what is recorded of old restores, so that the table does not grow for ever."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog

from orca_daemon.db import restores
from orca_daemon.db.database import Database

EVERY = 3600.0
"""Seconds between two removals of one process."""
_BATCH = 5000
_log: Any = structlog.get_logger()


class OldRecords:
    """Removes rows of `orca_daemon_restore` after a request, at most once an hour.

    Args:
        database: has the table.
        days: how long rows are kept (`restore.record_days`); 0 keeps them for ever.
        clock: seconds of a clock that never goes back.
    """

    def __init__(self, database: Database, days: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._age, self._clock = database, timedelta(days=days), clock
        self._next = clock()

    async def remove(self) -> None:
        """Remove them in small transactions, if it is time.

        Never raises: the request is worked already, and repeating it would not help.
        """
        if not self._age or self._clock() < self._next:
            return
        self._next = self._clock() + EVERY
        removed = 0
        try:
            while count := await self._database.transact(restores.expire, self._age, _BATCH):
                removed += count
        except Exception as error:  # noqa: BLE001  the docstring has the reason
            _log.warning("restore.records_kept", error=type(error).__name__)
        if removed:
            _log.info("restore.records_removed", rows=removed)
