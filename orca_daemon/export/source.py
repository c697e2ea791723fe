"""The source of exports: the application's own database, or another one that the settings name."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from orca_daemon.db.address import AddressError, Secrets
from orca_daemon.db.database import Database
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from orca_daemon.settings import Settings, shown


def other_database(settings: Settings) -> DatabaseSettings | None:
    """The settings of the other database; None if the application's own is the source."""
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
    """The database to export, for the duration of one run.

    Args:
        settings: name the other database, if any.
        application: the application's own; it is not closed.
        secrets: reads the secret that the settings name.

    Raises:
        AddressError: no database is configured.
    """
    other = other_database(settings)
    if other is not None:
        with closing(Database(other, secrets)) as database:
            yield database
    elif application is None:
        raise AddressError(
            f"no database is configured: set {shown('database.url')}, or {shown('export.source_url')} or "
            f"{shown('export.source_secret')}"
        )
    else:
        yield application
