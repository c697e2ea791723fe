"""One transaction in one thread, which other threads can cancel or cut off."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Connection, Engine

from orca_daemon.db.held_connection import HeldConnection
from orca_daemon.db.session import Session, shut_down

T = TypeVar("T")

_FRESH = 1.0
"""Seconds after its last use during which a connection is not tested before it is used."""


class WithdrawnError(Exception):
    """The transaction was cancelled before its commit."""


class Ends:
    """Units whose threads are done with them, for one event loop.

    The loop is woken once for all that end while it is busy: a wake-up is a system call, a turn of the loop,
    and two switches of the interpreter's lock.
    """

    __slots__ = ("_told", "_units", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._units: deque[UnitOfWork[Any]] = deque()
        """Filled by threads, emptied by the loop."""
        self._told = False
        """Whether the loop will look.  Threads set it, the loop unsets it before it looks."""

    def put(self, unit: "UnitOfWork[Any]") -> None:
        """A thread is done with this unit."""
        self._units.append(unit)
        if not self._told:
            self._told = True
            with suppress(RuntimeError):  # the loop is closed, so nobody waits
                self.loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        self._told = False
        while self._units:
            self._units.popleft().end()


class UnitOfWork(Generic[T]):
    """Runs once, in a thread of the pool.

    The event loop that makes it calls `drop` and `close_if_silent`, and `finished` runs there; other threads
    call `withdraw` and `cut`, any number of times.

    Args:
        work: called with the connection, inside the transaction.
        engine: gives the connection.
        waited: called from the thread with the seconds that the unit waited for it.
        finished: called in the event loop when the thread is done with the unit, or has skipped it.
        ends: of the event loop that makes it; told when the thread is done with it.
    """

    __slots__ = (
        "_ends",
        "_engine",
        "_error",
        "_finished",
        "_lock",
        "_result",
        "_submitted",
        "_waited",
        "_withdrawn",
        "_work",
        "cancelling",
        "checked_out",
        "connection",
        "done",
        "over",
        "taken",
    )

    def __init__(
        self,
        work: Callable[[Connection], T],
        engine: Engine,
        waited: Callable[[float], None],
        finished: "Callable[[UnitOfWork[Any]], None]",
        ends: "Ends",
    ) -> None:
        self._work, self._engine, self._waited, self._finished = work, engine, waited, finished
        self._submitted = time.monotonic()
        self._ends = ends
        self._lock = threading.Lock()
        """Guards `connection`, `taken` and `_withdrawn`."""
        self._withdrawn = False
        self._result: T | None = None
        self._error: BaseException | None = None
        self.connection: Session | None = None
        """The connection while the unit may be cancelled: from its checkout until before the commit."""
        self.checked_out: Session | None = None
        """The connection, while the thread runs the unit."""
        self.taken = False
        """Whether a thread has begun it."""
        self.cancelling = False
        """Whether `withdraw` holds the lock while it sends the cancel request."""
        self.done = False
        """Whether its thread has finished; the event loop sets it."""
        self.over: asyncio.Future[None] = self._ends.loop.create_future()
        """Done when the unit is."""

    # In the event loop.

    def result(self) -> T:
        """What the work returned, or raise what it raised."""
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback refers to this frame
        return self._result  # type: ignore[return-value]  # set by the thread if there is no error

    def wait_again(self) -> "asyncio.Future[None]":
        """Done when the unit is, although who waited for it was cancelled."""
        if self.over.cancelled() and not self.done:
            self.over = self._ends.loop.create_future()
        return self.over

    def drop(self) -> bool:
        """Return whether no thread had begun it; then none will."""
        with self._lock:
            if not self.taken:
                self._withdrawn = True
            return not self.taken

    def close_if_silent(self, longest: float) -> None:
        """Close the connection if the server has not answered a statement for more than `longest` seconds."""
        if (connection := self.checked_out) is None:
            return
        since = connection.waiting_since
        if since is not None and time.monotonic() - since > longest:
            shut_down(connection)

    def refuse(self) -> None:
        """The pool is closed: end it without running it."""
        if not self._ends.loop.is_closed():
            self.end(run=False)

    def end(self, *, run: bool = True) -> None:
        """The thread is done with it, or never runs it."""
        self.done = True
        self._finished(self)
        if not run:
            self.over.cancel()
        elif not self.over.done():
            self.over.set_result(None)

    # In the thread.

    def run_in_thread(self, held: HeldConnection) -> None:
        """Run it with the thread's connection, unless it was dropped, and tell the loop.  Raises nothing."""
        if self._take():
            try:
                self._waited(time.monotonic() - self._submitted)
                self._result = self._transact(held)
            except BaseException as error:  # noqa: BLE001  raised again where the unit is awaited
                self._error = error
        self._ends.put(self)

    def _take(self) -> bool:
        with self._lock:
            self.taken = not self._withdrawn
            return self.taken

    def _transact(self, held: HeldConnection) -> T:
        """Connect, call the work, commit.  Nothing is committed once `_withdrawn` is set."""
        connection = held.take(self._engine)
        try:
            self._enter(connection)
            result = self._work(connection)
            self._begin_commit()
            connection.commit()
        except BaseException:
            # In this order: the rollback can be cut, and nobody cancels what others do with the connection.
            held.roll_back()
            self._release()
            held.give_back()
            raise
        self._release()
        held.committed()
        return result

    def _enter(self, connection: Connection) -> None:
        """Replace the connection if it died while it was idle.  Raises WithdrawnError if cancelled."""
        if not self._announce(connection).answers(_FRESH):
            connection.invalidate()
            self._announce(connection)

    def _announce(self, connection: Connection) -> Session:
        """Statements run on this connection from now on, so that it can be cancelled and cut."""
        # `connection.connection` connects again if it was invalidated; `pool.Pool` opens sessions only.
        session = cast("Session", connection.connection.driver_connection)
        with self._lock:
            self.connection = self.checked_out = session
            self._check()
        return session

    def _begin_commit(self) -> None:
        # Past this point `withdraw` and `cut` do nothing: the commit follows, and we wait for it.  If the
        # server stops answering, the outcome is unknown and the work is retried.
        with self._lock:
            self.connection = None
            self._check()

    def _release(self) -> None:
        with self._lock:
            self.connection = self.checked_out = None

    def _check(self) -> None:
        if self._withdrawn:
            raise WithdrawnError

    # In any thread.

    def withdraw(self) -> None:
        """Prevent the commit, and ask the server to cancel the statement.  May take long; raises nothing."""
        with self._lock:
            self._withdrawn = True
            if self.connection is None:
                return
            # Under the lock, so that the request cannot cancel a statement of the connection's next user.
            self.cancelling = True
            try:
                self.connection.cancel()
            finally:
                self.cancelling = False

    def cut(self) -> None:
        """Close the connection while its statement runs; the server did not react to the cancel request."""
        # If `withdraw` holds the lock, the connection cannot change meanwhile: the lock is not needed then.
        acquired = self._lock.acquire(blocking=False)
        connection = self.connection  # read once, because `withdraw` may end meanwhile
        try:
            if (acquired or self.cancelling) and connection is not None:
                shut_down(connection)
        finally:
            if acquired:
                self._lock.release()
