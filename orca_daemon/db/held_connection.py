"""The connection that a thread holds from one unit of work to the next.

Taking a connection from SQLAlchemy's pool and returning it costs as much as a statement.  So a thread returns
its connection when it has had no work for a moment, and after a second in any case, so that the pool can
replace old connections.
"""

import time
from contextlib import suppress
from typing import Any

from psycopg2.extensions import STATUS_READY
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

        A held connection that is too old, or whose pool was disposed of, is given back first: after a
        fail-over, it leads to a server that is not the writer any more.
        """
        if self._connection is not None:
            if engine.pool is self._pool and time.monotonic() - self._since < _LONGEST:
                return self._connection
            self.give_back()
        # The pool first: it may be disposed of while this connects.
        self._pool, self._since = engine.pool, time.monotonic()
        self._connection = engine.connect()
        return self._connection

    def committed(self) -> None:
        """The transaction is over.

        A connection is not used again if the work has set options, or has begun a transaction of the driver
        that SQLAlchemy does not know of: the next commit would include it.
        """
        if self._connection is not None and (
            self._connection.get_execution_options() or _in_transaction(self._connection)
        ):
            self.give_back()

    def roll_back(self) -> None:
        """Roll back what is not committed.  Raises nothing: the error that made the work fail counts."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.rollback()

    def give_back(self) -> None:
        """Return the connection, if there is one, to the pool, which rolls back what is not committed."""
        connection, pool = self._connection, self._pool
        self._connection = self._pool = None
        if connection is None or pool is None:
            return
        engine, lost = connection.engine, connection.invalidated
        with suppress(Exception):  # the pool closes a connection that cannot be rolled back
            connection.close()
        if pool is not engine.pool:
            pool.dispose()  # nobody else closes what is returned to a pool that was disposed of
        elif lost:
            engine.dispose()  # as a rule the server has gone: other threads shall not use what they hold


def _in_transaction(connection: Connection) -> bool:
    session: Any = connection.connection.driver_connection
    return bool(session.status != STATUS_READY)
