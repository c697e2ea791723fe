"""A pool of connections, with one thread for each connection."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import psycopg2
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DisconnectionError

from orca_daemon.db.unit_of_work import UnitOfWork

T = TypeVar("T")

_FRESH = 1.0
"""Seconds after its last use during which a connection is not tested before it is used."""
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
        event.listen(self.engine, "checkout", self._check)
        event.listen(self.engine, "checkin", _note_use)
        event.listen(self.engine, "before_cursor_execute", self._before_statement)
        event.listen(self.engine, "after_cursor_execute", self._after_statement)
        self._patience = patience
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=f"db-{name}")
        self._current = threading.local()
        """`unit` is the unit of work that this thread runs."""
        self._counting = threading.Lock()
        self.in_use = 0
        self.waited: Callable[[float], None] = lambda _: None

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a thread, inside one transaction.

        If this is cancelled, it cancels the running statement and waits for the thread, so that nothing is
        committed after this has returned or raised.
        """
        unit = UnitOfWork()
        future = self._threads.submit(self._in_thread, unit, work, time.monotonic())
        waiter = asyncio.wrap_future(future)
        try:
            return await self._result(unit, waiter)
        except asyncio.CancelledError:
            if not future.cancel():
                await _stop(unit, waiter)
            raise

    def close(self) -> None:
        """Close all connections; functions that wait for a thread do not run any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.engine.dispose()

    async def _result(self, unit: UnitOfWork, waiter: "asyncio.Future[T]") -> T:
        """Wait for the result, and close the connection if the server does not answer in time.

        A proxy or firewall in between may accept our bytes and forward nothing: TCP reports no error then.
        """
        while not waiter.done():
            await asyncio.wait({waiter}, timeout=_CHECK_EVERY)
            if self._patience is not None:
                unit.close_if_silent(self._patience)
        return waiter.result()

    def _before_statement(self, *_: object) -> None:
        if unit := getattr(self._current, "unit", None):
            unit.sent()

    def _after_statement(self, *_: object) -> None:
        if unit := getattr(self._current, "unit", None):
            unit.answered()

    def _in_thread(self, unit: UnitOfWork, work: Callable[[Connection], T], submitted: float) -> T:
        # There are as many threads as connections, so the wait for a thread is the whole wait.
        self.waited(time.monotonic() - submitted)
        self._current.unit = unit
        with self._counting:
            self.in_use += 1
        try:
            return unit.run(self.engine, work)
        finally:
            with self._counting:
                self.in_use -= 1

    def _check(self, connection: Any, record: Any, _proxy: object) -> None:
        """Test a connection that was idle; if it fails, SQLAlchemy takes another one."""
        if time.monotonic() - record.info.get("used", time.monotonic()) < _FRESH:
            return
        # The test itself may hang on a dead connection: as part of the unit it can be cancelled and cut.
        if unit := getattr(self._current, "unit", None):
            unit.enter(connection)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            # The test began a transaction, in which the isolation level could not be set any more.
            connection.rollback()
        except psycopg2.Error as error:
            raise DisconnectionError from error


def _note_use(_connection: object, record: Any) -> None:
    record.info["used"] = time.monotonic()


async def _stop(unit: UnitOfWork, waiter: "asyncio.Future[Any]") -> None:
    """Cancel the unit and wait.  Returns only when its thread has finished."""
    began = time.monotonic()
    while not waiter.done():
        if time.monotonic() - began > _CUT:
            unit.cut()
        if not unit.cancelling:
            # A daemon thread, because it may wait for a server that does not answer when the process ends.
            threading.Thread(target=unit.withdraw, name="db-cancel", daemon=True).start()
        with suppress(asyncio.CancelledError):  # cancelled a second time; the thread must finish all the same
            await asyncio.wait({waiter}, timeout=_CANCEL_AGAIN)
    if not waiter.cancelled():
        waiter.exception()  # marks it as retrieved, or asyncio logs it
