"""Writes what a comparison found into the three report tables, with the job's success, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from orca_daemon.db.sql import load
from orca_daemon.reconcile.jobs import Job, finish

_SQL = load(__package__, "reports.sql")
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """Rows in each report."""

    phantoms: int
    orphans: int
    mismatches: int

    @property
    def by_kind(self) -> Mapping[str, int]:
        """The same by the names that the command line and the metrics use."""
        return {"phantom": self.phantoms, "orphan": self.orphans, "mismatch": self.mismatches}


def write(connection: Connection, job: Job, differences: Path) -> Written:
    """Replace the job's reports by these differences and let the job have succeeded.

    What the catalog says of them is looked up here, for the few rows that differ, so that the comparison
    need not carry it for all.  What left the catalog or was mended meanwhile is no finding any more.

    Args:
        connection: in a transaction, which is the caller's to commit.
        job: whose reports these are.
        differences: the file that the child left.
    """
    # First, for the row's lock: whoever lost the job's lock with a connection may be at the same here.
    finish(connection, job)
    values = {"job": job.id}
    for name in ("clear_phantoms", "clear_orphans", "clear_mismatches"):
        connection.execute(_SQL[name], values)
    _load(connection, differences)
    return Written(
        phantoms=connection.execute(_SQL["insert_phantoms"], values).rowcount,
        orphans=connection.execute(_SQL["insert_orphans"], values).rowcount,
        mismatches=connection.execute(_SQL["insert_mismatches"], values).rowcount,
    )


def _load(connection: Connection, differences: Path) -> None:
    connection.execute(_SQL["create_differences"])
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101  it is checked out
    with driver.cursor() as cursor, differences.open("rb") as rows:
        cursor.copy_expert(_SQL["copy_differences"].text, rows, _BUFFER)
    connection.execute(_SQL["analyze_differences"])
