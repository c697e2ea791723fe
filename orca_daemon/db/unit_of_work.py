"""One transaction in one thread, and how it is stopped from outside."""

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg2
from sqlalchemy import Connection, Engine

T = TypeVar("T")


class WithdrawnError(Exception):
    """The work was cancelled before it was committed."""


@dataclass(slots=True, eq=False)
class UnitOfWork:
    """Runs once.  `withdraw` and `cut` are called from other threads, any number of times."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: Any = None
    """The driver's connection, from its checkout to the commit."""
    withdrawn: bool = False
    cancelling: bool = False
    """Whether `withdraw` holds the lock while it talks to the server."""
    wire: Any = None
    """The driver's connection, from its checkout to its return."""
    asked: float | None = None
    """When the server was asked what it has not answered yet, by the monotonic clock."""

    def run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        """Connect, work, commit.  Nothing is committed once `withdrawn` is set."""
        try:
            with engine.connect() as connection:
                self.enter(connection.connection.driver_connection)
                self.answered()
                try:
                    result = work(connection)
                    self._leave()
                    self.ask()
                    connection.commit()
                except BaseException:
                    self.ask()  # the roll-back comes next
                    raise
                self.answered()
                return result
        finally:
            self._forget()

    def enter(self, connection: object) -> None:
        """From now on statements run on this connection.  Raises Withdrawn if they must not."""
        with self.lock:
            self.connection = self.wire = connection
            self.ask()
            self._check()

    def ask(self) -> None:
        """The server is asked something now."""
        self.asked = time.monotonic()

    def answered(self) -> None:
        """It has answered."""
        self.asked = None

    def _leave(self) -> None:
        # Past this point `withdraw` and `cut` do nothing: the commit follows, and we wait for it.  If the
        # server stops answering, the outcome is unknown and the work is retried.
        with self.lock:
            self.connection = None
            self._check()

    def _forget(self) -> None:
        with self.lock:
            self.connection = self.wire = self.asked = None

    def _check(self) -> None:
        if self.withdrawn:
            raise WithdrawnError

    def withdraw(self) -> None:
        """Forbid the commit, and ask the server to cancel what runs.  May take long; raises nothing."""
        with self.lock:
            self.withdrawn = True
            if self.connection is None:
                return
            # The lock is kept meanwhile: the cancellation must not hit the connection's next user.
            self.cancelling = True
            try:
                self.connection.cancel()
            finally:
                self.cancelling = False

    def cut(self) -> None:
        """Close the connection under the work, when the server does not react."""
        free = self.lock.acquire(blocking=False)
        try:
            if (free or self.cancelling) and self.connection is not None:
                _shut(self.connection)
        finally:
            if free:
                self.lock.release()

    def give_up(self, longest: float) -> None:
        """Close the connection if the server has owed an answer for more than `longest` seconds."""
        asked, wire = self.asked, self.wire
        if asked is not None and wire is not None and time.monotonic() - asked > longest:
            _shut(wire)


def _shut(connection: Any) -> None:
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg2.Error):
        return  # closed already
