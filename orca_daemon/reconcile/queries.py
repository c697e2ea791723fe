"""Reads jobs and reports back: for the command line, and for the metrics."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from orca_daemon.db.sql import load
from orca_daemon.wire.reconciliation import ReconcileStatus

_SQL = load(__package__, "queries.sql")
KINDS = ("phantom", "orphan", "mismatch")
_PAGE = 1000


def find_jobs(
    connection: Connection, *, bucket: str | None = None, job: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Jobs with the number of rows in their reports, the newest inventory first."""
    values = {"bucket": bucket, "job": job, "limit": limit}
    return [dict(row) for row in connection.execute(_SQL["jobs"], values).mappings()]


def report(connection: Connection, job: int, kind: str, limit: int | None) -> Iterator[dict[str, Any]]:
    """Rows of one report, some at a time; `kind` is one of `KINDS`, `limit` None is all."""
    options = {"stream_results": True, "yield_per": _PAGE}
    rows = connection.execute(_SQL[kind], {"job": job, "limit": limit}, execution_options=options)
    for row in rows.mappings():
        yield dict(row)


def latest(connection: Connection) -> list[tuple[str, float, dict[str, int]]]:
    """Of each bucket, when its latest report was finished (seconds since the epoch), and its rows by kind."""
    rows = connection.execute(_SQL["latest"], {"success": ReconcileStatus.SUCCESS})
    return [(row.bucket, row.finished, {kind: getattr(row, kind) for kind in KINDS}) for row in rows]
