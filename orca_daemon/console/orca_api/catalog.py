"""Reads the catalog, page by page, in the order in which Cumulus merges it with its own."""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection, text

from orca_daemon.console.orca_api.ahead import ROWS, Found
from orca_daemon.console.orca_api.errors import AnswerError
from orca_daemon.console.orca_api.lists import ListQuery, Row, page_parameters, read_page
from orca_daemon.console.orca_api.positions import Cursor, Start
from orca_daemon.console.orca_api.requests import CatalogRequest
from orca_daemon.console.orca_api.values import array, encoded, within_postgres
from orca_daemon.db.sql import load

_SQL = load(__package__, "catalog.sql")
MOST_FILES = 100_000
"""Files in one answer, of 100 granules together; ORCA's Lambda fails at 6 MB, which are some 15,000."""
FAR = 50_000
"""Rows to skip from which on a survey of the table is the faster way."""
_SAMPLE_PAGES = 1_000
"""Pages of the table that a sample is taken of."""
_SAMPLE_ROWS = 200_000
_KIND = "catalog"
_BEFORE_ANY = -(2**63)
"""A row id less than any."""


def query_of(asked: CatalogRequest) -> ListQuery:
    """The list of granules that a request asks for."""
    since = asked.start_timestamp
    parameters: dict[str, Any] = {
        "until": within_postgres(asked.end_timestamp),
        "since": None if since is None else within_postgres(since),
        "providers": array(asked.provider_id),
        "collections": array(asked.collection_id),
        "granules": array(asked.granule_id),
    }
    # A hash, because a request may name a million granules.
    key = hashlib.sha256(json.dumps(parameters).encode()).digest()
    return ListQuery(
        key=(_KIND, key),
        statement=_SQL[_block(asked)],
        parameters=parameters,
        ordered_by={"after_place": "place", "after_id": "row_id"},
    )


def _block(asked: CatalogRequest) -> str:
    if asked.granule_id is not None:
        return "granules_of_ids"
    return "all_granules" if asked.collection_id is None else "granules_of_collections"


def read_catalog(
    connection: Connection, query: ListQuery, start: Start, limit: float | None = None
) -> tuple[bytes, Cursor | None]:
    """The page that starts there, as JSON, and the cursor of the page after it.

    Args:
        connection: in a transaction.
        query: the list.
        start: where the page starts.
        limit: seconds for finding the granules; None for the session's limit of a statement.

    Raises:
        AnswerError: its granules have more files than an answer may have.
    """
    if limit is None:
        page = read_page(connection, query, start)
    else:
        usual = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()
        connection.execute(_SQL["limit_statements"], {"limit": f"{round(limit * 1000)}ms"})
        page = read_page(connection, query, start)
        connection.execute(_SQL["limit_statements"], {"limit": usual})
    return _encoded(connection, page.rows, another=page.another), page.cursor


def read_found(connection: Connection, found: Found) -> bytes:
    """The page of these rows, as JSON.  Raises AnswerError as `read_catalog` does."""
    rows = [
        dict(row)
        for row in connection.execute(_SQL["granules_of_rows"], {"rows": list(found.rows)}).mappings()
    ]
    return _encoded(connection, rows, another=found.another)


def look_ahead(connection: Connection, query: ListQuery, start: Start) -> tuple[list[int], Cursor | None]:
    """The ids of the rows from there on, and the cursor after them if there are more.

    With so many rows to find, Postgres passes over the table once if the walk along the order is longer.
    """
    wanted = text(f"SELECT row_id, place FROM ({query.statement.text}) AS list")  # noqa: S608  ours, from a file
    found = connection.execute(wanted, page_parameters(query, start, ROWS + 1)).all()
    rows = found[:ROWS]
    return [row.row_id for row in rows], (rows[-1].place, rows[-1].row_id) if len(found) > ROWS else None


def may_be_sparse(query: ListQuery) -> bool:
    """Whether its granules may lie far apart in their order: it has a filter that no index knows."""
    filters = query.parameters
    return can_be_surveyed(query) and (filters["since"] is not None or filters["providers"] is not None)


def _encoded(connection: Connection, rows: Sequence[Row], *, another: bool) -> bytes:
    files = _files(connection, [granule["row_id"] for granule in rows])
    granules = [_granule(granule, files[granule["row_id"]]) for granule in rows]
    return encoded({"anotherPage": another, "granules": granules})


def _granule(row: Row, files: Sequence[Row]) -> Row:
    fields = {name: value for name, value in row.items() if name not in {"row_id", "place"}}
    return {**fields, "files": files}


def _files(connection: Connection, rows: Sequence[int]) -> dict[int, list[Row]]:
    """The files by the row id of their granule."""
    by_granule: dict[int, list[Row]] = defaultdict(list)
    if not rows:
        return by_granule
    connection.execute(_SQL["read_by_bitmap"])
    found = connection.execute(_SQL["files"], {"rows": list(rows), "most": MOST_FILES + 1}).mappings().all()
    if len(found) > MOST_FILES:
        raise AnswerError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the granules of this page have more than {MOST_FILES:,} files: name granules with fewer",
        )
    for row in found:
        file = dict(row)
        by_granule[file.pop("row_id")].append(file)
    return by_granule


def can_be_surveyed(query: ListQuery) -> bool:
    """Whether this is a list of granules that are not named one by one; those are found by the index."""
    return query.key[0] == _KIND and query.statement is not _SQL["granules_of_ids"]


def survey(connection: Connection, query: ListQuery, row: int) -> dict[int, Cursor]:
    """Positions shortly before this row: number of rows before a place, to a cursor there.

    One pass over the table, where an offset would fetch each row before the page by the index: of ten million
    granules that takes seconds instead of a minute.
    """
    pages = connection.execute(_SQL["pages_of_granules"]).scalar_one()
    share = min(1.0, _SAMPLE_PAGES / pages)
    parameters = {**query.parameters, "percent": 100 * share, "most": _SAMPLE_ROWS}
    sampled = sorted(connection.execute(_SQL["sample"], parameters).scalars(), key=str.encode)
    places = places_before(sampled, row * share)
    if not places:
        return {}
    counted = connection.execute(_SQL["survey"], {**query.parameters, "places": array(places)})
    granules = {found.bucket: found.granules for found in counted}
    positions: dict[int, Cursor] = {}
    before = 0
    for bucket, place in enumerate(places):
        before += granules.get(bucket, 0)
        positions[before] = (place, _BEFORE_ANY)
    return positions


def places_before(sampled: Sequence[str], expected: float) -> list[str]:
    """Places in the order of the sample: where this many of it come before, and at growing distances below.

    The number varies by its square root if rows are sampled one by one, and more as they come by whole pages.
    """
    target, deviation = min(round(expected), len(sampled) - 1), math.sqrt(expected)
    indexes = {target - round(times * deviation) for times in (0, 1, 2, 4, 8, 16)}
    return list(dict.fromkeys(sampled[index] for index in sorted(indexes) if index >= 0))
