"""A pool of connections, with one thread for each connection."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine

from orca_daemon.db.threads import Threads
from orca_daemon.db.unit_of_work import Ends, UnitOfWork

T = TypeVar("T")

_CANCEL_AGAIN = 0.1
"""Seconds between cancel requests: a request that arrives between two statements cancels nothing."""
_CUT = 5.0
"""Seconds after which the connection is closed if the server does not cancel the statement."""
_CHECK_EVERY = 1.0
"""Seconds between two checks for a server that does not answer."""


class Pool:
    """Runs functions in threads, each in a transaction of its own.

    Args:
        connect: opens a connection of the driver.
        name: part of the names of the threads.
        size: number of connections, and of threads, so that no thread waits for a connection.
        timeout: seconds to wait for a connection, if other code uses the engine too.
        patience: seconds after which a server that has not answered counts as dead; None waits for ever.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        *,
        name: str,
        size: int,
        timeout: float,
        patience: float | None = None,
    ) -> None:
        self.engine = create_engine(
            "postgresql+psycopg2://",
            creator=connect,
            pool_size=size,
            max_overflow=0,
            pool_timeout=timeout,
            pool_use_lifo=True,
            pool_recycle=1800,
            hide_parameters=True,
            use_native_hstore=False,  # saves a query on each new connection, for a type that is not used
        )
        self._patience = patience
        self._threads = Threads(size, f"db-{name}")
        self._units: set[UnitOfWork[Any]] = set()
        """Units that run or wait for a thread."""
        self._ends: Ends | None = None
        self._watching: asyncio.AbstractEventLoop | None = None
        """The loop whose timer looks for servers that do not answer, while there are units."""
        self.waited: Callable[[float], None] = lambda _: None

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a thread, inside one transaction.

        If this is cancelled, it cancels the running statement and waits for the thread, so that nothing is
        committed after this has returned or raised.
        """
        ends = self._ends_here()
        unit = UnitOfWork(work, self.engine, self.waited, self._units.discard, ends)
        self._units.add(unit)
        self._threads.submit(unit, len(self._units))
        self._watch(ends.loop)
        try:
            await unit.over
        except asyncio.CancelledError:
            if not unit.drop():
                await _stop(unit)
            raise
        return unit.result()

    def close(self) -> None:
        """Close all connections; functions that wait for a thread do not run any more."""
        self._threads.close()
        self.engine.dispose()

    @property
    def in_use(self) -> int:
        """Number of connections in use."""
        return sum(unit.taken for unit in tuple(self._units))

    def _ends_here(self) -> Ends:
        loop = asyncio.get_running_loop()
        if self._ends is None or self._ends.loop is not loop:
            self._ends = Ends(loop)
        return self._ends

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at all units now and then, and close the connections on which the server does not answer.

        A proxy or firewall in between may accept our bytes and forward nothing: TCP reports no error then.
        """
        if self._patience is not None and self._watching is not loop:
            self._watching = loop
            loop.call_later(_CHECK_EVERY, self._look, loop, self._patience)

    def _look(self, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        for unit in self._units:
            unit.close_if_silent(patience)
        self._watching = None
        if self._units:
            self._watch(loop)


async def _stop(unit: UnitOfWork[Any]) -> None:
    """Cancel the unit and wait.  Returns only when its thread has finished."""
    began = time.monotonic()
    while not unit.done:
        if time.monotonic() - began > _CUT:
            unit.cut()
        if not unit.cancelling:
            # A daemon thread, because it may wait for a server that does not answer when the process ends.
            threading.Thread(target=unit.withdraw, name="db-cancel", daemon=True).start()
        with suppress(asyncio.CancelledError):  # cancelled a second time; the thread must finish all the same
            await asyncio.wait({unit.wait_again()}, timeout=_CANCEL_AGAIN)
