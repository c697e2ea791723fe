"""The database that is exported: the application's own, or another one that the settings name."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from orca_daemon.db.address import AddressError, Secrets
from orca_daemon.db.database import Database
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from orca_daemon.settings import Settings


def elsewhere(settings: Settings) -> DatabaseSettings | None:
    """Where the other database is; None where the application's own is exported."""
    export, ours = settings.export, settings.database
    if not (export.source_url or export.source_secret):
        return None
    return DatabaseSettings(
        url=export.source_url,
        secret_arn=export.source_secret,
        connect_timeout=ours.connect_timeout,
        lock_timeout=ours.lock_timeout,
        application_name=ours.application_name,
        sslmode=ours.sslmode,
        sslrootcert=ours.sslrootcert,
    )


@contextmanager
def source(settings: Settings, application: Database | None, secrets: Secrets | None) -> Iterator[Database]:
    """The database to export, for the time of one run.

    Args:
        settings: say which one.
        application: the application's own; left open.
        secrets: reads the secret that the settings name.

    Raises:
        AddressError: the settings name no other one and there is none of our own.
    """
    other = elsewhere(settings)
    if other is not None:
        with closing(Database(other, secrets)) as database:
            yield database
    elif application is None:
        raise AddressError(
            "no database is configured: set DATABASE_URL, or export.source_url or source_secret"
        )
    else:
        yield application
