"""Writes what a comparison found into the three report tables, with the job's success, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from orca_daemon.db.sql import load
from orca_daemon.reconcile.jobs import ReconcileJob, finish
from orca_daemon.reconcile.protocol import Compared

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


class TornError(Exception):
    """The file of differences does not hold what the comparison wrote."""


def write(connection: Connection, job: ReconcileJob, differences: Path, compared: Compared) -> Written:
    """Replace the job's reports by these differences and let the job have succeeded.

    What the catalog says of them is looked up here, for the few rows that differ, so that the comparison
    need not carry it for all.  What left the catalog or was mended meanwhile is no finding any more.

    Args:
        connection: in a transaction, which is the caller's to commit.
        job: whose reports these are.
        differences: the file that the child left.
        compared: what it says of the comparison.

    Raises:
        TornError: the file has fewer rows than the comparison found, or more.
    """
    # Runs first, to take the row lock: a process that lost its advisory lock together with its connection may
    # still be writing these reports.
    finish(connection, job, _note(compared))
    values = {"job": job.id}
    for name in ("clear_phantoms", "clear_orphans", "clear_mismatches"):
        connection.execute(_SQL[name], values)
    found = compared.phantoms + compared.orphans + compared.mismatched
    if (loaded := _load(connection, differences)) != found:
        raise TornError(f"the comparison found {found} differences, and {loaded} were read")
    return Written(
        phantoms=connection.execute(_SQL["insert_phantoms"], values).rowcount,
        orphans=connection.execute(_SQL["insert_orphans"], values).rowcount,
        mismatches=connection.execute(_SQL["insert_mismatches"], values).rowcount,
    )


def _note(compared: Compared) -> str | None:
    """What a job that succeeded has to say all the same."""
    if not compared.not_compared:
        return None
    examples = "; ".join(compared.not_compared_examples)
    return f"{compared.not_compared:,} listed objects could not be compared: {examples}"


def _load(connection: Connection, differences: Path) -> int:
    """Read the file into a table of this transaction; the number of rows that Postgres took."""
    connection.execute(_SQL["create_differences"])
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101  it is checked out
    with driver.cursor() as cursor, differences.open("rb") as rows:
        cursor.copy_expert(_SQL["copy_differences"].text, rows, _BUFFER)
        loaded: int = cursor.rowcount
    connection.execute(_SQL["analyze_differences"])
    return loaded
