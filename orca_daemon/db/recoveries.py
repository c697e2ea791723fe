"""What is going on in recoveries, for the gauges: a question that an index answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "recoveries.sql")


@dataclass(frozen=True, slots=True)
class Overview:
    """Files by status, of open recoveries and those of the last day; when the oldest open one began."""

    files: Mapping[str, int]
    oldest_open: float | None


def overview(connection: Connection) -> Overview:
    """Count now.  `oldest_open` is in seconds since the epoch."""
    files = {row.status: row.files for row in connection.execute(_SQL["files"])}
    return Overview(files, connection.execute(_SQL["oldest_open"]).scalar_one())
