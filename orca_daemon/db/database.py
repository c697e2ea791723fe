"""The database as handlers use it: short transactions, and streams that do not get in their way."""

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
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.settings import DatabaseSection as DatabaseSettings

P = ParamSpec("P")
T = TypeVar("T")

_STREAMS = 2
_TRIES = 4
"""Times that a transaction is begun which meets deadlocks or serialization failures."""
_MARGIN = 10.0
"""Seconds past the limit of a statement in which the server must have said so."""


class Database:
    """One Postgres.  Nothing is connected before the first use.

    Args:
        settings: where it is, how many connections, how long statements may take.
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
        """Run `work(connection, …)` in one transaction, committed when it returns.

        It may run more than once, each time from nothing (deadlock, serialization failure).  Cancelled,
        nothing of it can become durable after this has raised.

        Raises:
            DependencyDown: the database is unreachable, refuses us, lacks what the work needs, or is not the
                writer any more.
            Reject: the data can never be stored (`failures.meaning`).
            PostgresError: anything else that Postgres said; it may pass.
        """
        return await self._run(self._short, partial(_call, work, args, kwargs))

    async def stream(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same for COPY: on connections of its own, and without a limit of time."""
        return await self._run(self._long, partial(_call, work, args, kwargs))

    async def address(self) -> DatabaseAddress:
        """Where the database is: for a child process that connects by itself."""
        return await self._known()

    async def link(self) -> Link:
        """What lies between us and the server."""
        address = await self._known()
        return await self.transact(lambda _: inspect_link(address, self._settings))

    def writes(self, tables: Iterable[str]) -> None:
        """Name the tables that the work writes: the probe tries these, and a read-only server will not do."""
        self._written = frozenset(tables)

    async def probe(self) -> None:
        """Do what the work does (`probe.ask`): read and, unless it is for reading only, write.

        Raises:
            DependencyDown: the work would fail.
            AddressError: it cannot be known where the database is.
        """
        try:
            ask = partial(probe.ask, written=self._written, insist=self._refused)
            await self._run(self._short, ask, doubts=False)
        except probe.ReadOnlyError:
            # Connections that lead to a server which was the writer once.
            self._short.engine.dispose()
            raise DependencyDown(DEPENDENCY, "it is read-only") from None
        except (PostgresError, Reject) as error:
            raise DependencyDown(DEPENDENCY, str(error)) from None
        self._refused = False

    def reconnect(self) -> None:
        """Close the idle connections: the next transaction looks up the host again, after a fail-over."""
        self._short.engine.dispose()

    def watch(self, waited: Callable[[float], None]) -> None:
        """Tell `waited` how many seconds each short transaction waited for its turn, from any thread."""
        self._short.waited = waited

    @property
    def in_use(self) -> int:
        """Connections that work at this moment."""
        return self._short.in_use + self._long.in_use

    def close(self) -> None:
        """Close every connection."""
        self._short.close()
        self._long.close()

    async def _run(self, pool: Pool, work: Callable[[Connection], T], *, doubts: bool = True) -> T:
        for tries in range(1, _TRIES + 1):
            used = await self._known()
            try:
                return await pool.run(work)
            except Exception as error:
                if not is_ours(error):
                    raise
                if tries == _TRIES or not await self._mended(pool, error, used):
                    if doubts and doubtful(sqlstate_of(error)):
                        await self.probe()
                    # Their text and their causes hold statements and values of rows.
                    raise translate(error) from None
            await asyncio.sleep(random.uniform(0, 0.05 * tries))
        raise AssertionError("the last try raises")

    async def _mended(self, pool: Pool, error: Exception, used: DatabaseAddress) -> bool:
        """Whether it is worth the same again at once."""
        if isinstance(error, UnreachableError):
            # It may be the password: whoever rotates it also changes the secret.
            return await self._read_again(used)
        code = sqlstate_of(error)
        self._refused |= code == DEMOTED
        if code == DEMOTED or code in STALE:
            pool.engine.dispose()
        return meaning(code) is SqlstateMeaning.AGAIN

    async def _known(self) -> DatabaseAddress:
        async with self._reading:
            if self._address is None:
                self._address = await self._resolve()
            return self._address

    async def _read_again(self, used: DatabaseAddress) -> bool:
        """Read the address, unless somebody else just did; whether it differs from `used`."""
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
            # It could be read once: this is no mistake of whoever wrote the settings.
            raise DependencyDown(DEPENDENCY, str(error)) from None

    def _pool(self, name: str, size: int, statement_timeout: float) -> Pool:
        def open_one() -> Any:
            if self._address is None:
                raise UnreachableError("the address is not known yet")
            return connect(self._address, self._settings, statement_timeout=statement_timeout)

        patience = statement_timeout + _MARGIN if statement_timeout else None
        return Pool(open_one, name=name, size=size, timeout=self._settings.pool_timeout, patience=patience)


def _call(work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any], connection: Connection) -> T:
    return work(connection, *args, **kwargs)
