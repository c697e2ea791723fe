"""The schema of the database: its state, and the steps of an upgrade."""

from dataclasses import dataclass

from orca_daemon.db import migrate
from orca_daemon.db.address import DatabaseAddress
from orca_daemon.db.schema import Schema, SchemaVerdict


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The schema, and what follows from it."""

    schema: Schema

    @property
    def usable(self) -> bool:
        """Whether the daemon can work with it as it is."""
        return self.schema.verdict in {SchemaVerdict.OK, SchemaVerdict.SLOW}

    @property
    def steps(self) -> list[str]:
        """The steps of an upgrade; empty if no upgrade is needed, or none is possible."""
        return [] if self.schema.verdict is SchemaVerdict.FOREIGN else migrate.plan(self.schema)


def read_state(address: DatabaseAddress) -> SchemaState:
    """Read the schema.  Blocks until Postgres answers.

    Raises:
        DependencyDown: Postgres cannot be reached.
        PostgresError: the server does not answer as a Postgres does.
    """
    return SchemaState(migrate.status(address))


def upgrade_steps(address: DatabaseAddress) -> list[str]:
    """What `db.migrate.upgrade` would do.  Blocks until Postgres answers.

    Raises:
        UpgradeError: the schema cannot be upgraded.
        DependencyDown, PostgresError: as for `read_state`.
    """
    return migrate.plan(migrate.status(address))
