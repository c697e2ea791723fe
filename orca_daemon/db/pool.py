"""Connections and the threads that use them: work runs in one transaction, and can be cancelled."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg2
from sqlalchemy import Connection, Engine, create_engine

T = TypeVar("T")

_INSIST = 0.1
"""Seconds between attempts to cancel: one that comes between two statements hits nothing."""
_CUT = 50
"""Attempts after which the connection is cut: the server does not hear us."""


class Withdrawn(Exception):  # noqa: N818  not a fault
    """The work was cancelled before it was committed."""


@dataclass(slots=True, eq=False)
class Work:
    """One transaction in one thread."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: Any = None
    """The driver's connection, while statements may run on it."""
    withdrawn: bool = False

    def run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        """Connect, work, commit.  Nothing is committed once `withdrawn` is set."""
        with engine.connect() as connection:
            self._enter(connection.connection.driver_connection)
            try:
                result = work(connection)
            finally:
                self._leave()
            connection.commit()
            return result

    def _enter(self, connection: object) -> None:
        with self.lock:
            self._check()
            self.connection = connection

    def _leave(self) -> None:
        # From here on nobody cuts or cancels: what follows is the commit, which must be waited for.
        with self.lock:
            self.connection = None
            self._check()

    def _check(self) -> None:
        if self.withdrawn:
            raise Withdrawn

    def withdraw(self, attempt: int) -> None:
        """Stop it: mark it, and break the statement that runs now.  Called from another thread."""
        with self.lock:
            self.withdrawn = True
            if self.connection is None or self.connection.closed:
                return
            if attempt < _CUT:
                self.connection.cancel()
            else:
                _cut(self.connection)


def _cut(connection: Any) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


class Pool:
    """Some connections and exactly as many threads, so that nobody waits for a connection in a thread."""

    def __init__(self, connect: Callable[[], Any], *, name: str, size: int, timeout: float) -> None:
        self.engine = create_engine(
            "postgresql+psycopg2://",
            creator=connect,
            pool_size=size,
            max_overflow=0,
            pool_timeout=timeout,
            pool_pre_ping=True,
            pool_use_lifo=True,
            pool_recycle=1800,
            hide_parameters=True,
        )
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=f"db-{name}")
        self._breakers = ThreadPoolExecutor(2, thread_name_prefix=f"db-{name}-cancel")
        self._counting = threading.Lock()
        self.in_use = 0
        self.waited: Callable[[float], None] = lambda _: None

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a thread, inside one transaction.

        Cancelled, it breaks the statement that runs and waits for the thread: nothing is committed
        after this has returned or raised.
        """
        unit = Work()
        future = self._threads.submit(self._work, unit, work, time.monotonic())
        waiter = asyncio.wrap_future(future)
        try:
            return await asyncio.shield(waiter)
        except asyncio.CancelledError:
            if not future.cancel():
                waiter.add_done_callback(asyncio.Future.exception)  # nobody else will look at it
                await self._break(unit, future)
            raise

    def _work(self, unit: Work, work: Callable[[Connection], T], asked: float) -> T:
        # There are as many threads as connections, so the wait for a thread is the whole wait.
        self.waited(time.monotonic() - asked)
        with self._counting:
            self.in_use += 1
        try:
            return unit.run(self.engine, work)
        finally:
            with self._counting:
                self.in_use -= 1

    async def _break(self, unit: Work, future: "Future[Any]") -> None:
        attempt = 0
        while not future.done():
            try:
                await asyncio.wrap_future(self._breakers.submit(_quietly, unit.withdraw, attempt))
                await asyncio.sleep(0 if future.done() else _INSIST)
            except asyncio.CancelledError:
                continue  # told twice; the thread still has to end first
            attempt += 1

    def close(self) -> None:
        """Close all connections; work that waits for a thread is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._breakers.shutdown(wait=False, cancel_futures=True)
        self.engine.dispose()


def _quietly(withdraw: Callable[[int], None], attempt: int) -> None:
    try:
        withdraw(attempt)
    except (psycopg2.Error, OSError):
        return  # the connection is gone, and the work with it
