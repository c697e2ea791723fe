"""One transaction in one thread, which other threads can cancel or cut off."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from orca_daemon.db.session import shut_down

T = TypeVar("T")


class WithdrawnError(Exception):
    """The transaction was cancelled before its commit."""


@dataclass(slots=True, eq=False)
class UnitOfWork:
    """Runs once, in a thread of the pool.

    Other threads call `withdraw` and `cut`, any number of times; the event loop calls `close_if_silent`.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    """Guards `connection` and `withdrawn`."""
    connection: Any = None
    """The driver's connection while the unit may be cancelled: from its checkout until before the commit."""
    withdrawn: bool = False
    cancelling: bool = False
    """Whether `withdraw` holds the lock while it sends the cancel request."""
    checked_out: Any = None
    """The driver's connection, from its checkout to its return."""
    waiting_since: float | None = None
    """When the statement was sent that the server has not answered yet, by the monotonic clock."""

    def run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        """Connect, call `work`, commit.  Nothing is committed once `withdrawn` is set."""
        try:
            with engine.connect() as connection:
                self.enter(connection.connection.driver_connection)
                self.answered()
                try:
                    result = work(connection)
                    self._begin_commit()
                    self.sent()
                    connection.commit()
                except BaseException:
                    self.sent()  # SQLAlchemy rolls back next
                    raise
                self.answered()
                return result
        finally:
            self._release()

    def enter(self, connection: object) -> None:
        """Statements run on this connection from now on.  Raises WithdrawnError if the unit is cancelled."""
        with self.lock:
            self.connection = self.checked_out = connection
            self.sent()
            self._check()

    def sent(self) -> None:
        """Record that a statement is sent to the server now."""
        self.waiting_since = time.monotonic()

    def answered(self) -> None:
        """Record that the server has answered."""
        self.waiting_since = None

    def _begin_commit(self) -> None:
        # Past this point `withdraw` and `cut` do nothing: the commit follows, and we wait for it.  If the
        # server stops answering, the outcome is unknown and the work is retried.
        with self.lock:
            self.connection = None
            self._check()

    def _release(self) -> None:
        with self.lock:
            self.connection = self.checked_out = self.waiting_since = None

    def _check(self) -> None:
        if self.withdrawn:
            raise WithdrawnError

    def withdraw(self) -> None:
        """Prevent the commit, and ask the server to cancel the statement.  May take long; raises nothing."""
        with self.lock:
            self.withdrawn = True
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
        acquired = self.lock.acquire(blocking=False)
        try:
            if (acquired or self.cancelling) and self.connection is not None:
                shut_down(self.connection)
        finally:
            if acquired:
                self.lock.release()

    def close_if_silent(self, longest: float) -> None:
        """Close the connection if the server has not answered a statement for more than `longest` seconds."""
        since, connection = self.waiting_since, self.checked_out
        if since is not None and connection is not None and time.monotonic() - since > longest:
            shut_down(connection)
