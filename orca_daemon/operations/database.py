"""The database that the settings name: connections to it, and its address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from orca_daemon.db.address import AddressError, DatabaseAddress, is_reference, resolve
from orca_daemon.db.database import Database
from orca_daemon.settings import Settings, shown

if TYPE_CHECKING:
    from orca_daemon.aws.secret_reader import SecretReader


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


async def database_address(settings: Settings, *, owner: bool = False) -> DatabaseAddress:
    """Where that database is; `owner`: as ORCA's administrator, if the secret names one.

    Raises:
        AddressError: settings and secret do not name a database.
        DependencyDown: AWS does not return the secret.
    """
    async with _secrets(settings) as secrets:
        return await resolve(settings.database, secrets, owner=owner)


@asynccontextmanager
async def _secrets(settings: Settings) -> "AsyncIterator[SecretReader | None]":
    """Reads secrets; None if the settings name no secret."""
    if not settings.database.configured:
        raise AddressError(
            f"no database is configured: set {shown('database.url')} or {shown('database.secret_arn')}, "
            "or ORCA's DATABASE_URL or DB_CONNECT_INFO_SECRET_ARN"
        )
    if not _names_secret(settings):
        yield None
        return
    # Imported late: AWS's library takes as long to load as all the rest, which many commands do not need.
    from orca_daemon.aws.clients import connect
    from orca_daemon.aws.secret_reader import SecretReader

    async with connect(settings) as clients:
        yield SecretReader(clients)


def _names_secret(settings: Settings) -> bool:
    section = settings.database
    if section.secret_arn or section.prefix:
        return True
    hidden = [value.get_secret_value() for value in (section.url, section.password) if value]
    plain = [value for value in (section.host, str(section.port), section.name, section.user) if value]
    return any(is_reference(value) for value in hidden + plain)
