"""Connections, and exactly as many threads that use them."""

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
"""Seconds after its last use for which a connection is trusted without being asked."""
_INSIST = 0.1
"""Seconds between attempts to cancel: one that comes between two statements hits nothing."""
_CUT = 5.0
"""Seconds after which the connection is closed under work that the server does not cancel."""
_CHECK_EVERY = 1.0
"""Seconds between two looks at work whose answer may never come."""


class Pool:
    """Runs work in threads, each work in a transaction of its own.

    Args:
        connect: opens a connection of the driver.
        name: in the names of the threads.
        size: of both, connections and threads; so nobody waits for a connection in a thread.
        timeout: seconds to wait for a connection all the same, should others use the engine too.
        patience: seconds after which a server that owes an answer is taken for dead; None waits for ever.
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
            use_native_hstore=False,  # asks each new connection for a type that nobody uses
        )
        event.listen(self.engine, "checkout", self._check)
        event.listen(self.engine, "checkin", _note)
        event.listen(self.engine, "before_cursor_execute", self._asking)
        event.listen(self.engine, "after_cursor_execute", self._asked)
        self._patience = patience
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=f"db-{name}")
        self._current = threading.local()
        self._counting = threading.Lock()
        self.in_use = 0
        self.waited: Callable[[float], None] = lambda _: None

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a thread, inside one transaction.

        Cancelled, it breaks the statement that runs and waits for the thread: nothing is committed
        after this has returned or raised.
        """
        unit = UnitOfWork()
        future = self._threads.submit(self._work, unit, work, time.monotonic())
        waiter = asyncio.wrap_future(future)
        try:
            return await self._answer(unit, waiter)
        except asyncio.CancelledError:
            if not future.cancel():
                await _break(unit, waiter)
            raise

    def close(self) -> None:
        """Close all connections; work that waits for a thread is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.engine.dispose()

    async def _answer(self, unit: UnitOfWork, waiter: "asyncio.Future[T]") -> T:
        """Wait for it; a machine in between that takes bytes and passes nothing on is no reason to hang."""
        while not waiter.done():
            await asyncio.wait({waiter}, timeout=_CHECK_EVERY)
            if self._patience is not None:
                unit.give_up(self._patience)
        return waiter.result()

    def _asking(self, *_: object) -> None:
        if unit := getattr(self._current, "unit", None):
            unit.ask()

    def _asked(self, *_: object) -> None:
        if unit := getattr(self._current, "unit", None):
            unit.answered()

    def _work(self, unit: UnitOfWork, work: Callable[[Connection], T], asked: float) -> T:
        # There are as many threads as connections, so the wait for a thread is the whole wait.
        self.waited(time.monotonic() - asked)
        self._current.unit = unit
        with self._counting:
            self.in_use += 1
        try:
            return unit.run(self.engine, work)
        finally:
            with self._counting:
                self.in_use -= 1

    def _check(self, connection: Any, record: Any, _proxy: object) -> None:
        """Ask a connection that was idle whether it lives; another one is taken if it does not."""
        if time.monotonic() - record.info.get("used", time.monotonic()) < _FRESH:
            return
        # A connection can also be dead without anybody saying so: the wait for it must be breakable.
        if unit := getattr(self._current, "unit", None):
            unit.enter(connection)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            # The question began a transaction, and one that has begun takes no isolation level any more.
            connection.rollback()
        except psycopg2.Error as error:
            raise DisconnectionError from error


def _note(_connection: object, record: Any) -> None:
    record.info["used"] = time.monotonic()


async def _break(unit: UnitOfWork, waiter: "asyncio.Future[Any]") -> None:
    """Cancel and wait.  Returns only when the thread is done with the work."""
    begun = time.monotonic()
    while not waiter.done():
        if time.monotonic() - begun > _CUT:
            unit.cut()
        if not unit.cancelling:
            # A thread that waits for a server that does not answer must not keep the process alive.
            threading.Thread(target=unit.withdraw, name="db-cancel", daemon=True).start()
        with suppress(asyncio.CancelledError):  # told twice; the thread still has to end first
            await asyncio.wait({waiter}, timeout=_INSIST)
    if not waiter.cancelled():
        waiter.exception()  # nobody else will look at it
