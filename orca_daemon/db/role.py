"""Who we are on a server, and what we may do in the schema `orca`.  Reads only; needs no privilege there."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "role.sql")


@dataclass(frozen=True, slots=True)
class Role:
    """The server and who we are on it."""

    user: str
    standby: bool
    superuser: bool
    version: str
    may_write: Mapping[str, bool]
    """Of the tables that the work writes."""
    hidden: tuple[str, ...] = ()
    """Tables of which row-level security hides rows from this role."""
    temporary: bool = True
    """Whether it may create temporary tables, as everybody may where nobody forbade it."""

    @property
    def writable(self) -> tuple[str, ...]:
        """Those of the tables that this role may write here; none on a standby."""
        return tuple(name for name, allowed in self.may_write.items() if allowed and not self.standby)

    @property
    def refused(self) -> tuple[str, ...]:
        """Those of the tables that this role may not write."""
        return tuple(name for name, allowed in self.may_write.items() if not allowed)

    @property
    def powerless(self) -> bool:
        """Whether this role can do none of the work; one that lacks some tables may serve some queues."""
        return not any(self.may_write.values())

    @property
    def remedy(self) -> str:
        """What gives it the privileges that it lacks."""
        return f"GRANT orca_app TO {self.user}"


def read(connection: Connection) -> Role:
    """Ask the server."""
    user, standby, superuser, version, temporary = connection.execute(_SQL["role"]).one()
    may_write = {row.relname: row.allowed for row in connection.execute(_SQL["may_write"])}
    hidden = tuple(connection.scalars(_SQL["hidden"]))
    return Role(user, standby, superuser, version, may_write, hidden, temporary)
