"""Numbers of open recoveries, for the gauges; an index keeps the query cheap."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "recoveries.sql")


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of recoveries at one time."""

    files: Mapping[str, int]
    """Number of files by status, of open recoveries and of those requested in the last day."""
    oldest_open: float | None
    """Request time of the oldest open recovery, in seconds since the epoch."""


MOST = 10_000
"""Failed files that are counted."""


def failed_lately(connection: Connection) -> int:
    """Files that failed in the last 24 hours, at most `MOST`; an index of ours serves it."""
    count: int = connection.execute(_SQL["failed_lately"], {"most": MOST}).scalar_one()
    return count


def overview(connection: Connection) -> Overview:
    """Count now."""
    files = {row.status: row.files for row in connection.execute(_SQL["files"])}
    return Overview(files, connection.execute(_SQL["oldest_open"]).scalar_one())
