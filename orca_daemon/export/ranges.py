"""Divides a table into ranges of its pages, if several connections may read it."""

from collections.abc import Iterator
from typing import Any

from psycopg2 import sql
from sqlalchemy import Connection

from orca_daemon.export import query
from orca_daemon.export.catalog import STATEMENTS, SourceTable

PAGES = 2048
"""Pages of one range; with 8 KiB pages, 16 MiB of the table."""
OLDEST_SERVER = 140_000
"""`server_version_num` from which Postgres reads a range of `ctid` without reading the whole table."""
_WHOLE = (["Seq Scan"], ["Gather", "Seq Scan"])
"""Plans that read all pages and nothing else; the second in several processes of the server."""


def conditions(connection: Connection, table: SourceTable, where: sql.Composable) -> list[sql.Composable]:
    """The condition of each part of the rows that match `where`, in the order of the table's pages.

    One part, unless the table is large, a plain heap without values stored apart, and read as a whole: with
    an index or a subquery, each part would search it again.  Values stored apart may be large, and memory is
    for one of them at a time.
    """
    pages = connection.scalar(
        STATEMENTS["pages"], {"schema": table.relation.schema, "name": table.relation.name}
    )
    bounds = list(range(PAGES, pages or 0, PAGES))
    if not bounds or not _reads_whole(connection, query.explain(table.relation, where)):
        return [where]
    return [query.within(where, start, end) for start, end in _between(bounds)]


def _between(bounds: list[int]) -> Iterator[tuple[int | None, int | None]]:
    # Open at both ends: together they hold every row, however the table has grown.
    yield from zip([None, *bounds], [*bounds, None], strict=True)


def _reads_whole(connection: Connection, statement: sql.Composed) -> bool:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute(statement)
        ((plan,),) = cursor.fetchone()
    return list(_nodes(plan["Plan"])) in _WHOLE


def _nodes(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
