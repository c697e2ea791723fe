"""Our role on a server, and its privileges in the schema `orca`.  Reads only; needs no privilege there."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "role.sql")


@dataclass(frozen=True, slots=True)
class Role:
    """The role that we are connected as, and the server."""

    user: str
    standby: bool
    superuser: bool
    version: str
    may_write: Mapping[str, bool]
    """For each table that the daemon writes."""
    hidden: tuple[str, ...] = ()
    """Tables where row-level security hides rows from this role."""
    temporary: bool = True
    """Whether it may create temporary tables; Postgres grants that to every role by default."""

    @property
    def writable(self) -> tuple[str, ...]:
        """The tables that this role may write here; empty on a standby."""
        return tuple(name for name, allowed in self.may_write.items() if allowed and not self.standby)

    @property
    def refused(self) -> tuple[str, ...]:
        """The tables that this role may not write."""
        return tuple(name for name, allowed in self.may_write.items() if not allowed)

    @property
    def powerless(self) -> bool:
        """Whether this role may write no table; a role that lacks some tables may still serve some queues."""
        return not any(self.may_write.values())

    @property
    def remedy(self) -> str:
        """The statement that grants the missing privileges."""
        return f"GRANT orca_app TO {self.user}"


def read(connection: Connection) -> Role:
    """Query the server."""
    user, standby, superuser, version, temporary = connection.execute(_SQL["role"]).one()
    may_write = {row.relname: row.allowed for row in connection.execute(_SQL["may_write"])}
    hidden = tuple(connection.scalars(_SQL["hidden"]))
    return Role(user, standby, superuser, version, may_write, hidden, temporary)
