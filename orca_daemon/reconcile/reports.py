"""Writes the reports of a comparison, and reads jobs and reports for the command line and the metrics."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from orca_daemon.db.sql import load
from orca_daemon.reconcile.jobs import ReconcileJob, finish
from orca_daemon.reconcile.protocol import Compared
from orca_daemon.wire.reconciliation import DifferenceKind, ReconcileStatus

_SQL = load(__package__, "reports.sql")
_BUFFER = 1 << 20
_PAGE = 1000
"""Rows of a report that are in memory at one time."""
_GATHERED = 100_000
"""Differences whose rows of the catalog are read at one time."""
_MOST_GATHERED = 10 * _GATHERED
"""More differences are joined with the whole catalog: each chunk is sought among all of them."""
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Written:
    """Number of rows in each report."""

    phantoms: int
    orphans: int
    mismatches: int

    @property
    def by_kind(self) -> Mapping[str, int]:
        """The same numbers by the names that the command line and the metrics use."""
        return {"phantom": self.phantoms, "orphan": self.orphans, "mismatch": self.mismatches}


class TornError(Exception):
    """The file of differences has another number of rows than the comparison wrote."""


def write(connection: Connection, job: ReconcileJob, differences: Path, compared: Compared) -> Written:
    """Replace the job's reports by these differences, and mark the job as succeeded.

    The columns of the catalog are joined here, for the few rows that differ, so that the comparison need not
    carry them for all rows.  A difference that has left the catalog or was corrected before that is not
    reported.

    Args:
        connection: in a transaction; the caller commits.
        job: the job.
        differences: the file that the child wrote.
        compared: the counts that the child reported.

    Raises:
        TornError: the file has fewer rows than the comparison found, or more.
    """
    # Runs first, to take the row lock: a process that lost its advisory lock together with its connection may
    # still be writing these reports.
    finish(connection, job, _note(compared))
    values = {"job": job.id}
    for name in ("clear_phantoms", "clear_orphans", "clear_mismatches"):
        connection.execute(_SQL[name], values)
    expected = compared.phantoms + compared.orphans + compared.mismatched
    if (loaded := _load(connection, differences)) != expected:
        raise TornError(f"the comparison found {expected} differences, and {loaded} were read")
    with _catalogued(connection, compared):
        return Written(
            phantoms=connection.execute(_SQL["insert_phantoms"], values).rowcount,
            orphans=connection.execute(_SQL["insert_orphans"], values).rowcount,
            mismatches=connection.execute(_SQL["insert_mismatches"], values).rowcount,
        )


@contextmanager
def _catalogued(connection: Connection, compared: Compared) -> Iterator[None]:
    """The relation `catalogued`: the catalog's rows of the differences.

    If the catalog is larger than the server's cache, each look-up would wait for its disk.  Then many rows
    are gathered by one statement, for which the server reads ahead.
    """
    few = compared.phantoms + compared.mismatched <= _MOST_GATHERED
    if few and connection.execute(_SQL["exceeds_cache"]).scalar_one():
        connection.execute(_SQL["create_gathered"])
        connection.execute(_SQL["begin_gathering"])
        bounds = connection.execute(_SQL["bounds"], {"most": _GATHERED}).scalars().all()
        for after, until in pairwise([_LEAST, *bounds, _MOST]):
            connection.execute(_SQL["gather"], {"after": after, "until": until})
        connection.execute(_SQL["end_gathering"])
        yield
    else:
        connection.execute(_SQL["create_view"])
        yield
        connection.execute(_SQL["drop_view"])


def _note(compared: Compared) -> str | None:
    """The note on a job that succeeded but could not compare all objects."""
    if not compared.not_compared:
        return None
    examples = "; ".join(compared.not_compared_examples)
    return f"{compared.not_compared:,} listed objects could not be compared: {examples}"


def _load(connection: Connection, differences: Path) -> int:
    """Copy the file into a temporary table; return the number of rows by Postgres's count."""
    connection.execute(_SQL["create_differences"])
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101  the connection is checked out of the pool
    with driver.cursor() as cursor, differences.open("rb") as rows:
        cursor.copy_expert(_SQL["copy_differences"].text, rows, _BUFFER)
        loaded: int = cursor.rowcount
    connection.execute(_SQL["analyze_differences"])
    return loaded


def find_jobs(
    connection: Connection, *, bucket: str | None = None, job: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Jobs with the number of rows in their reports, the newest inventory first."""
    values = {"bucket": bucket, "job": job, "limit": limit}
    return [dict(row) for row in connection.execute(_SQL["jobs"], values).mappings()]


def report(
    connection: Connection, job: int, kind: DifferenceKind, limit: int | None
) -> Iterator[dict[str, Any]]:
    """Rows of one report, read in pages; if `limit` is None, all rows."""
    options = {"stream_results": True, "yield_per": _PAGE}
    rows = connection.execute(_SQL[kind], {"job": job, "limit": limit}, execution_options=options)
    for row in rows.mappings():
        yield dict(row)


def latest(connection: Connection) -> list[tuple[str, float, dict[str, int]]]:
    """For each bucket: end of its latest report (seconds since the epoch), and its rows by kind."""
    rows = connection.execute(_SQL["latest"], {"success": ReconcileStatus.SUCCESS})
    return [
        (row.bucket, row.finished, {kind.value: getattr(row, kind) for kind in DifferenceKind})
        for row in rows
    ]
