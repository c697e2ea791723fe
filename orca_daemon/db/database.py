"""The database as handlers use it: short transactions, and long streams on connections of their own."""

import asyncio
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from orca_daemon.db import probe
from orca_daemon.db.address import DEPENDENCY, AddressError, DatabaseAddress, Secrets, resolve
from orca_daemon.db.connect import UnreachableError, connect
from orca_daemon.db.failures import (
    DEMOTED,
    STALE,
    PostgresError,
    SqlstateMeaning,
    doubtful,
    is_ours,
    meaning,
    sqlstate_of,
    translate,
)
from orca_daemon.db.link import Link, inspect_link
from orca_daemon.db.pool import Pool
from orca_daemon.db.session import Session
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.settings import DatabaseSection as DatabaseSettings

P = ParamSpec("P")
T = TypeVar("T")

_STREAMS = 2
"""Connections for streams."""
_TRIES = 4
"""Tries of a transaction that fails by deadlocks or serialization failures."""
_MARGIN = 10.0
"""Seconds after the time limit of a statement within which the server must have reported the timeout."""


class Database:
    """One Postgres.  Nothing is connected before the first use.

    Args:
        settings: address, number of connections, time limits of statements.
        secrets: reads the secrets that the settings name.
    """

    def __init__(self, settings: DatabaseSettings, secrets: Secrets | None = None) -> None:
        self._settings = settings
        self._secrets = secrets
        self._address: DatabaseAddress | None = None
        self._reading = asyncio.Lock()
        self._written: frozenset[str] | None = None
        self._refused = False
        self._short = self._pool("short", settings.pool_size, settings.statement_timeout)
        self._long = self._pool("stream", _STREAMS, 0)

    async def transact(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(connection, …)` in one transaction, and commit when it returns.

        After a deadlock or a serialization failure, `work` runs again in a new transaction.  If this is
        cancelled, nothing is committed after it has raised.

        Raises:
            DependencyDown: the database is unreachable, refuses us, lacks a table or privilege, or is no
                longer the writer.
            Reject: the data can never be stored (`failures.meaning`).
            PostgresError: any other error of Postgres; a retry may succeed.
        """
        return await self._run(self._short, partial(_call, work, args, kwargs))

    async def stream(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same for COPY: on separate connections, and without a time limit."""
        return await self._run(self._long, partial(_call, work, args, kwargs))

    def open_stream(self) -> Session:
        """Open one more connection like those of `stream`, from within its work; the caller closes it.

        Raises UnreachableError.
        """
        return self._opened(0)

    async def address(self) -> DatabaseAddress:
        """The address of the database, for a child process that connects by itself."""
        return await self._resolved()

    async def link(self) -> Link:
        """Facts about the connection: TLS, poolers."""
        address = await self._resolved()
        return await self.transact(lambda _: inspect_link(address, self._settings))

    def writes(self, tables: Iterable[str]) -> None:
        """Set the tables that the work writes: the probe writes to these, and fails on a read-only server."""
        self._written = frozenset(tables)

    async def probe(self) -> None:
        """Run the transaction of `probe.ask`, which writes, unless the work only reads.

        Raises:
            DependencyDown: the work would fail.
            AddressError: settings and secret do not give an address.
        """
        try:
            ask = partial(probe.ask, written=self._written, must_write=self._refused)
            await self._run(self._short, ask, probe_doubtful=False)
        except probe.ReadOnlyError:
            # New connections may reach the new writer; these ones lead to the old one.
            self._short.engine.dispose()
            raise DependencyDown(DEPENDENCY, "it is read-only") from None
        except (PostgresError, Reject) as error:
            raise DependencyDown(DEPENDENCY, str(error)) from None
        self._refused = False

    def reconnect(self) -> None:
        """Close the idle connections: the next transaction looks up the host again, after a fail-over."""
        self._short.engine.dispose()

    def watch(self, waited: Callable[[float], None]) -> None:
        """Call `waited`, from any thread, with the seconds that a transaction waited for a connection."""
        self._short.waited = waited

    @property
    def in_use(self) -> int:
        """Number of connections in use."""
        return self._short.in_use + self._long.in_use

    def close(self) -> None:
        """Close every connection."""
        self._short.close()
        self._long.close()

    async def _run(self, pool: Pool, work: Callable[[Connection], T], *, probe_doubtful: bool = True) -> T:
        for tries in range(1, _TRIES + 1):
            used = await self._resolved()
            try:
                return await pool.run(work)
            except Exception as error:
                if not is_ours(error):
                    raise
                if tries == _TRIES or not await self._worth_retrying(pool, error, used):
                    if probe_doubtful and doubtful(sqlstate_of(error)):
                        await self.probe()  # raises DependencyDown if the server is the cause
                    # `from None`, because texts and causes of these errors hold statements and values of
                    # rows.
                    raise translate(error) from None
            await asyncio.sleep(random.uniform(0, 0.05 * tries))
        raise AssertionError("the last try raises")

    async def _worth_retrying(self, pool: Pool, error: Exception, used: DatabaseAddress) -> bool:
        """Read the address again or replace connections, as needed; return whether a retry may succeed."""
        if isinstance(error, UnreachableError):
            # The password may have been rotated: then the secret has the new one.
            return await self._resolve_again(used)
        code = sqlstate_of(error)
        self._refused |= code == DEMOTED
        if code == DEMOTED or code in STALE:
            pool.engine.dispose()
        return meaning(code) is SqlstateMeaning.AGAIN

    async def _resolved(self) -> DatabaseAddress:
        if self._address is not None and not self._reading.locked():
            return self._address
        async with self._reading:
            if self._address is None:
                self._address = await self._resolve()
            return self._address

    async def _resolve_again(self, used: DatabaseAddress) -> bool:
        """Read the address, unless another task just did; return whether it differs from `used`."""
        async with self._reading:
            if self._address == used:
                self._address = await self._resolve()
            return self._address != used

    async def _resolve(self) -> DatabaseAddress:
        try:
            return await resolve(self._settings, self._secrets)
        except AddressError as error:
            if self._address is None:
                raise
            # The address could be read before, so the settings are right: wait for AWS.
            raise DependencyDown(DEPENDENCY, str(error)) from None

    def _opened(self, statement_timeout: float) -> Session:
        if self._address is None:
            raise UnreachableError("the address is not known yet")
        return connect(self._address, self._settings, statement_timeout=statement_timeout)

    def _pool(self, name: str, size: int, statement_timeout: float) -> Pool:
        open_connection = partial(self._opened, statement_timeout)
        timeout = self._settings.pool_timeout
        patience = statement_timeout + _MARGIN if statement_timeout else None
        return Pool(open_connection, name=name, size=size, timeout=timeout, patience=patience)


def _call(work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any], connection: Connection) -> T:
    return work(connection, *args, **kwargs)
