"""Comparisons of S3 with the catalog: make one now, and read the reports of earlier ones."""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection

from orca_daemon.aws.clients import connect
from orca_daemon.engine.errors import NotYet, Refused, Reject
from orca_daemon.operations.database import database
from orca_daemon.operations.errors import NotFoundError
from orca_daemon.reconcile.jobs import NoListingError, NotStagedError
from orca_daemon.reconcile.protocol import Message
from orca_daemon.reconcile.reports import TornError, find_jobs, report
from orca_daemon.reconcile.run import ComparisonFailedError, ComparisonOutcome, Reconciler
from orca_daemon.settings import Settings
from orca_daemon.wire.inventory import InventoryPointer, StoredListing
from orca_daemon.wire.reconciliation import DifferenceKind

Row = dict[str, Any]


async def compare(
    settings: Settings,
    listing: InventoryPointer | StoredListing,
    *,
    on_message: Callable[[Message], None] = lambda _: None,
) -> ComparisonOutcome:
    """Compare a listing of a bucket with the catalog, and replace the reports of an earlier comparison.

    Args:
        settings: of the database, of AWS, and of comparisons.
        listing: an inventory, or a listing that ORCA stored.
        on_message: called with each message of the child process.

    Raises:
        Reject: the comparison failed, and its job is marked as failed; or ORCA's listing is not complete, or
            not stored.
        AddressError, DependencyDown, PostgresError, SettingsError: the database or AWS cannot be used.
    """
    async with connect(settings) as clients, database(settings) as opened:
        reconciler = Reconciler(settings, opened, clients.s3)
        try:
            if isinstance(listing, InventoryPointer):
                return await reconciler.inventory(listing, on_message=on_message)
            return await reconciler.stored(listing, on_message=on_message)
        except (NoListingError, NotStagedError) as error:
            # The job has not failed: ORCA still loads its listing, or it is that of a manifest.
            raise Reject(str(error)) from None
        except (ComparisonFailedError, NotYet, Refused, Reject, TornError) as error:
            # By hand there is no other attempt: the job is over.
            await reconciler.give_up(listing, str(error))
            raise Reject(str(error)) from None


async def list_comparisons(settings: Settings, *, bucket: str | None = None, limit: int = 50) -> list[Row]:
    """Jobs of comparisons with the number of rows in their reports, the newest inventory first."""
    async with database(settings) as opened:
        return await opened.transact(find_jobs, bucket=bucket, limit=limit)


async def read_comparison(settings: Settings, job: int) -> Row:
    """One of these jobs.  Raises NotFoundError."""
    async with database(settings) as opened:
        rows = await opened.transact(find_jobs, job=job, limit=1)
    if not rows:
        raise NotFoundError(f"no job {job}")
    return rows[0]


async def read_report(
    settings: Settings,
    job: int,
    kinds: Iterable[DifferenceKind],
    limit: int | None,
    take: Callable[[DifferenceKind, Iterable[Row]], None],
) -> None:
    """Pass the rows of each kind of difference to `take`, which iterates them as they arrive.

    A report may have millions of rows, so they are never in memory together.  `take` runs in the thread of
    the database connection.  If `limit` is None, all rows.
    """

    def read(connection: Connection) -> None:
        for kind in kinds:
            take(kind, report(connection, job, kind, limit))

    async with database(settings) as opened:
        await opened.stream(read)
