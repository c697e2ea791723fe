"""Connections of one command to the database and to AWS, and the message and exit code when they fail."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from orca_daemon.cli.settings import WRONG_SETTINGS
from orca_daemon.db.address import AddressError, DatabaseAddress, resolve
from orca_daemon.db.database import Database
from orca_daemon.db.failures import PostgresError
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.settings import Settings, SettingsError

if TYPE_CHECKING:
    from orca_daemon.aws.secret_reader import SecretReader

T = TypeVar("T")
_NOT_UTF8 = 2, "an argument is not text in UTF-8"
"""What a terminal of another encoding sent; Python kept its bytes as surrogates."""
_NOT_SHOWN = (
    1,
    "standard output is not in UTF-8 and cannot take all of the answer: set PYTHONIOENCODING=utf-8",
)


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a command's work; exits 78 where the settings are at fault, 1 where the world is.

    2, as everywhere, is for whoever typed the command.
    """
    from orca_daemon.aws.call_errors import CALL_ERRORS

    try:
        return asyncio.run(work)
    except (AddressError, SettingsError) as error:
        code, text = WRONG_SETTINGS, str(error)
    except (DependencyDown, PostgresError, NotYet, Refused, Reject, *CALL_ERRORS) as error:
        code, text = 1, str(error) or type(error).__name__
        if isinstance(error.__context__, UnicodeEncodeError):
            code, text = _NOT_UTF8
    except UnicodeEncodeError as error:
        code, text = _NOT_UTF8 if error.encoding == "utf-8" else _NOT_SHOWN
    except KeyboardInterrupt:
        code, text = 130, "interrupted"
    typer.echo(f"orca-daemon: {text}", err=True)
    sys.exit(code)


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings; AWS is asked only where they name a secret."""
    async with _secrets(settings) as secrets:
        opened = Database(settings.database, secrets)
        try:
            yield opened
        finally:
            opened.close()


async def address(settings: Settings, *, owner: bool = False) -> DatabaseAddress:
    """Where that database is; `owner`: as ORCA's administrator, where a secret names one."""
    async with _secrets(settings) as secrets:
        return await resolve(settings.database, secrets, owner=owner)


@asynccontextmanager
async def _secrets(settings: Settings) -> "AsyncIterator[SecretReader | None]":
    if not settings.database.configured:
        raise AddressError("no database is configured: set DATABASE_URL or DB_CONNECT_INFO_SECRET_ARN")
    if not _in_aws(settings):
        yield None
        return
    from orca_daemon.aws.clients import connect
    from orca_daemon.aws.secret_reader import SecretReader

    async with connect(settings) as clients:
        yield SecretReader(clients)


def _in_aws(settings: Settings) -> bool:
    place = settings.database
    if place.secret_arn or place.prefix:
        return True
    secret = [value.get_secret_value() for value in (place.url, place.password) if value]
    plain = [value for value in (place.host, str(place.port), place.name, place.user) if value]
    return any(value.startswith(("ssm:", "secret:")) for value in secret + plain)
