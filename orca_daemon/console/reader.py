"""Reads the database for pages and the API: short, read-only transactions on a few connections."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, RowMapping, text

from orca_daemon.db.address import Secrets
from orca_daemon.db.database import Database
from orca_daemon.settings import ConsoleSection, DatabaseSection

P = ParamSpec("P")
T = TypeVar("T")


class Reader:
    """Read-only access to one Postgres.  Nothing is connected before the first use."""

    def __init__(
        self, database: DatabaseSection, console: ConsoleSection, secrets: Secrets | None = None
    ) -> None:
        """`console` has the number of connections and the time limit of a statement."""
        limits = {"pool_size": console.connections, "statement_timeout": console.statement_timeout}
        self._database = Database(database.model_copy(update=limits), secrets)

    async def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """The rows of one statement, with `:name` for parameters; a row is a mapping by column.

        Raises:
            DependencyDown: the database cannot be read at all.
            PostgresError: any other error of Postgres, such as the time limit of a statement.
        """
        return await self.read(_rows, sql, parameters or {})

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(connection, …)` in one read-only transaction.  Raises as `rows` does."""

        def reading(connection: Connection) -> T:
            _make_read_only(connection)
            return work(connection, *args, **kwargs)

        return await self._database.transact(reading)

    @property
    def in_use(self) -> int:
        """Number of connections in use."""
        return self._database.in_use

    def close(self) -> None:
        """Close every connection."""
        self._database.close()


def _rows(connection: Connection, sql: str, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
    return connection.execute(text(sql), parameters).mappings().all()


def _make_read_only(connection: Connection) -> None:
    # The driver's own switch: it becomes part of BEGIN and costs no round trip.  It stays with the
    # connection, because this pool only reads.
    driver: Any = connection.connection.driver_connection
    if not driver.readonly:
        driver.readonly = True
