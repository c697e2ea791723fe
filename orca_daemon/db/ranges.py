"""Divides a table into ranges of its pages, if several connections may read it."""

from collections.abc import Iterator
from typing import Any

from psycopg2 import sql

from orca_daemon.db.session import Session

PAGES = 2048
"""Pages of one range; with 8 KiB pages, 16 MiB of the table."""
OLDEST_SERVER = 140_000
"""`server_version_num` from which Postgres reads a range of `ctid` without reading the whole table."""
_WHOLE = (["Seq Scan"], ["Gather", "Seq Scan"])
"""Plans that read all pages and nothing else; the second in several processes of the server."""
_AND = sql.SQL(" AND ")
# NULL, or no row, if the table must be read by one connection.
_SIZE = """
SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am a ON a.oid = c.relam
WHERE c.relname = %s
  AND n.nspname = %s
  AND c.relkind IN ('r', 'm')
  AND a.amname = 'heap'
  AND NOT c.relhassubclass
  AND coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0) = 0
"""


def conditions(session: Session, schema: str, name: str, where: sql.Composable) -> list[sql.Composable]:
    """The condition of each part of the rows `t` that match `where`, in the order of the table's pages.

    One part, unless the table is large, a plain heap without values stored apart, and read as a whole: with
    an index or a subquery, each part would search it again.  Values stored apart may be large, and memory is
    for one of them at a time.
    """
    with session.cursor() as cursor:
        cursor.execute(_SIZE, (name, schema))
        (pages,) = cursor.fetchone() or (0,)
    bounds = list(range(PAGES, pages or 0, PAGES))
    table = sql.Identifier(schema, name)
    if not bounds or not _reads_whole(session, table, where):
        return [where]
    return [_within(where, start, end) for start, end in _between(bounds)]


def _between(bounds: list[int]) -> Iterator[tuple[int | None, int | None]]:
    # Open at both ends: together they hold every row, however the table has grown.
    yield from zip([None, *bounds], [*bounds, None], strict=True)


def _within(where: sql.Composable, start: int | None, end: int | None) -> sql.Composable:
    """The rows that match `where`, from page `start` to before page `end`; None is no limit."""
    place = sql.Identifier("t", "ctid")
    parts: list[sql.Composable] = [sql.SQL("({})").format(where)]
    if start is not None:
        parts.append(sql.SQL("{} >= {}::pg_catalog.tid").format(place, sql.Literal(f"({start},0)")))
    if end is not None:
        parts.append(sql.SQL("{} < {}::pg_catalog.tid").format(place, sql.Literal(f"({end},0)")))
    return _AND.join(parts)


def _reads_whole(session: Session, table: sql.Composable, where: sql.Composable) -> bool:
    statement = sql.SQL("EXPLAIN (FORMAT JSON) SELECT * FROM {} AS t WHERE {}").format(table, where)
    with session.cursor() as cursor:
        cursor.execute(statement)
        (((plan,),),) = cursor.fetchall()
    return list(_nodes(plan["Plan"])) in _WHOLE


def _nodes(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
