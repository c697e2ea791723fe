"""What lies between us and the server: TLS, and poolers, with the kind of pooling that they do."""

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
"""Questions to each of two sessions; where they share a server, the first mostly shows it."""


@dataclass(frozen=True, slots=True)
class Link:
    """One connection, as it was found."""

    host: str
    """Where it leads; a path for a Unix socket."""
    encrypted: bool
    sslmode: str
    pooled: bool
    """Whether a pooler is in between."""
    shared: bool
    """Whether that pooler gives a session of the server to others between two transactions of ours."""

    @property
    def local(self) -> bool:
        """Whether nobody on a network can read or answer it."""
        if self.host.startswith("/") or self.host in {"", "localhost"}:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def verified(self) -> bool:
        """Whether it is certain which server answers."""
        return self.encrypted and self.sslmode == _VERIFIED

    @property
    def pooler(self) -> str:
        """What the pooler is called, as far as that shows."""
        return "RDS Proxy" if _RDS_PROXY in self.host else "a pooler (pgbouncer or another)"


def inspect_link(address: DatabaseAddress, settings: DatabaseSettings) -> Link:
    """Open two connections and compare what they lead to.  Raises Unreachable."""
    limit = settings.statement_timeout
    with (
        closing(connect(address, settings, statement_timeout=limit)) as one,
        closing(connect(address, settings, statement_timeout=limit)) as other,
    ):
        one.autocommit = other.autocommit = True
        # A pooler makes up the numbers that it gives to its clients at the start.
        pooled = one.info.backend_pid != _server_process(one)
        return Link(
            host=one.info.host or "",
            encrypted=bool(one.info.ssl_in_use),
            sslmode=one.info.dsn_parameters.get("sslmode", ""),
            pooled=pooled,
            shared=pooled and _share(one, other),
        )


def _share(one: Any, other: Any) -> bool:
    """Whether two sessions meet in one process of the server, or change theirs."""
    ones, others = set(), set()
    for _ in range(_ROUNDS):
        ones.add(_server_process(one))
        others.add(_server_process(other))
    return bool(ones & others) or len(ones) > 1 or len(others) > 1


def _server_process(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])
