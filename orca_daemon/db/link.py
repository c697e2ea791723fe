"""Inspects the connection to the server: TLS, and whether a pooler is in between, and how it pools."""

import ipaddress
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from orca_daemon.db.address import DatabaseAddress
from orca_daemon.db.connect import connect
from orca_daemon.settings import DatabaseSection as DatabaseSettings

_VERIFIED = "verify-full"
_RDS_PROXY = ".proxy-"
"""In the names of RDS Proxy's endpoints (AWS: RDS Proxy endpoints)."""
_ROUNDS = 5
"""Queries to each of two sessions; if they share a process of the server, the first usually shows it."""


@dataclass(frozen=True, slots=True)
class Link:
    """Facts about one connection."""

    host: str
    """A path for a Unix socket."""
    encrypted: bool
    sslmode: str
    pooled: bool
    """Whether a pooler is in between."""
    shared: bool
    """Whether the pooler gives our server session to other clients between transactions."""

    @property
    def local(self) -> bool:
        """Whether the connection stays on this machine, so that nothing on a network can read it."""
        if self.host.startswith("/") or self.host in {"", "localhost"}:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def verified(self) -> bool:
        """Whether TLS proves which server answers."""
        return self.encrypted and self.sslmode == _VERIFIED

    @property
    def pooler(self) -> str:
        """Name of the pooler, as far as the host name shows it."""
        return "RDS Proxy" if _RDS_PROXY in self.host else "a pooler (pgbouncer or another)"


def inspect_link(address: DatabaseAddress, settings: DatabaseSettings) -> Link:
    """Open two connections and compare the server processes behind them.  Raises UnreachableError."""
    limit = settings.statement_timeout
    with (
        closing(connect(address, settings, statement_timeout=limit)) as one,
        closing(connect(address, settings, statement_timeout=limit)) as other,
    ):
        one.autocommit = other.autocommit = True
        # A pooler sends its client a process id of its own, not that of a process of the server.
        pooled = one.info.backend_pid != _server_process(one)
        return Link(
            host=one.info.host or "",
            encrypted=bool(one.info.ssl_in_use),
            sslmode=one.info.dsn_parameters.get("sslmode", ""),
            pooled=pooled,
            shared=pooled and _share(one, other),
        )


def _share(one: Any, other: Any) -> bool:
    """Whether two sessions use the same process of the server, or one session uses several."""
    first, second = set(), set()
    for _ in range(_ROUNDS):
        first.add(_server_process(one))
        second.add(_server_process(other))
    return bool(first & second) or len(first) > 1 or len(second) > 1


def _server_process(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])
