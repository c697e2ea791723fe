"""One export of tables, made now."""

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import datetime

from orca_daemon.aws.clients import connect
from orca_daemon.aws.secret_reader import SecretReader
from orca_daemon.db.database import Database
from orca_daemon.export.bucket import Bucket
from orca_daemon.export.run import ExportRun, Report
from orca_daemon.export.source import source
from orca_daemon.export.tables import Table
from orca_daemon.queues.internal_report.exports import export_options
from orca_daemon.settings import Settings


async def export(
    settings: Settings,
    bucket: str,
    tables: Sequence[Table],
    now: datetime,
    *,
    since: datetime | None = None,
    full: bool = False,
    dry_run: bool = False,
    progress: Callable[[str, int], None] = lambda _table, _rows: None,
) -> Report:
    """Export the rows of these tables that changed since the last export.

    Args:
        settings: of the database that is exported, of AWS, and of exports.
        bucket: where the files are written.
        tables: as `export.tables.choose` returns them.
        now: the start of this run, after which the files are named.
        since: start here instead of at the newest file.
        full: every row, whenever it changed.
        dry_run: count the rows and write nothing.
        progress: called with the name of a table and the number of its rows read so far.

    Returns:
        The outcome of each table; a table that failed does not stop the others.

    Raises:
        AddressError, DependencyDown, PostgresError, SettingsError: the database or AWS cannot be used.
    """
    options = replace(export_options(settings.export, now), since=since, full=full, dry_run=dry_run)
    async with connect(settings) as clients:
        secrets = SecretReader(clients)
        own = Database(settings.database, secrets) if settings.database.configured else None
        with closing(own) if own else nullcontext(), source(settings, own, secrets) as database:
            run = ExportRun(database, Bucket(clients.s3, bucket), options, progress=progress)
            return await run.export(tables)
