"""The connection that a thread holds from one unit of work to the next.

Taking a connection from SQLAlchemy's pool and returning it costs as much as a statement.  So a thread returns
its connection when it has had no work for a moment, and after a second in any case, so that the pool can
replace old connections.
"""

import time
from contextlib import suppress

from sqlalchemy import Connection, Engine, Pool

IDLE, _LONGEST = 0.2, 1.0
"""Seconds for which a thread holds a connection without work, and with work."""


class HeldConnection:
    """At most one connection; the thread that made this calls everything."""

    __slots__ = ("_connection", "_pool", "_since")

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._pool: Pool | None = None
        self._since = 0.0

    def take(self, engine: Engine) -> Connection:
        """The held connection, or one from the pool, for one transaction.  Raises the errors of a connect.

        A connection that is too old, or whose pool was disposed of, is returned first: after a fail-over, it
        leads to a server that is not the writer any more.
        """
        if self._connection is not None:
            if engine.pool is self._pool and time.monotonic() - self._since < _LONGEST:
                return self._connection
            self.give_back()
        self._connection, self._pool, self._since = engine.connect(), engine.pool, time.monotonic()
        return self._connection

    def committed(self) -> None:
        """The transaction is over.  A connection with options that the work has set is not used again."""
        if self._connection is not None and self._connection.get_execution_options():
            self.give_back()

    def give_back(self) -> None:
        """Roll back what is not committed, and return the connection, if there is one, to the pool."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # If the server does not answer, the error that made the work fail counts; the pool closes the
            # connection.
            with suppress(Exception):
                connection.close()
