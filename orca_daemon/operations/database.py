"""The database of the settings: connections, the state of its schema, the steps of an upgrade."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from orca_daemon.aws.clients import connect
from orca_daemon.aws.secret_reader import SecretReader
from orca_daemon.db import migrate
from orca_daemon.db.address import AddressError, DatabaseAddress, resolve
from orca_daemon.db.database import Database
from orca_daemon.db.schema import Schema, SchemaVerdict
from orca_daemon.settings import Settings


@dataclass(frozen=True, slots=True)
class DatabaseState:
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


def state(address: DatabaseAddress) -> DatabaseState:
    """Read the schema.  Blocks until Postgres answers.

    Raises:
        DependencyDown: Postgres cannot be reached.
        PostgresError: the server does not answer as a Postgres does.
    """
    return DatabaseState(migrate.status(address))


def upgrade_steps(address: DatabaseAddress) -> list[str]:
    """What `db.migrate.upgrade` would do.  Blocks until Postgres answers.

    Raises:
        UpgradeError: the schema cannot be upgraded.
        DependencyDown, PostgresError: as for `state`.
    """
    return migrate.plan(migrate.status(address))


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings, for several transactions.

    Raises:
        AddressError: no database is configured.
        SettingsError: a secret must be read from AWS, and AWS is not set up.
    """
    async with _secrets(settings) as secrets:
        opened = Database(settings.database, secrets)
        try:
            yield opened
        finally:
            opened.close()


async def address(settings: Settings, *, owner: bool = False) -> DatabaseAddress:
    """Where that database is; `owner`: as ORCA's administrator, if the secret names one.

    Raises:
        AddressError: settings and secret do not name a database.
        DependencyDown: AWS does not return the secret.
    """
    async with _secrets(settings) as secrets:
        return await resolve(settings.database, secrets, owner=owner)


@asynccontextmanager
async def _secrets(settings: Settings) -> AsyncIterator[SecretReader | None]:
    """Reads secrets; None, without any client of AWS, if the settings name no secret."""
    if not settings.database.configured:
        raise AddressError("no database is configured: set DATABASE_URL or DB_CONNECT_INFO_SECRET_ARN")
    if not _names_secret(settings):
        yield None
        return
    async with connect(settings) as clients:
        yield SecretReader(clients)


def _names_secret(settings: Settings) -> bool:
    section = settings.database
    if section.secret_arn or section.prefix:
        return True
    hidden = [value.get_secret_value() for value in (section.url, section.password) if value]
    plain = [value for value in (section.host, str(section.port), section.name, section.user) if value]
    return any(value.startswith(("ssm:", "secret:")) for value in hidden + plain)
