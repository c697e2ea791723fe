"""A list of ORCA's that is read in pages of 100 rows: which page, from where, and what was learned by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, TextClause

from orca_daemon.console.orca_api.positions import Cursor, Start
from orca_daemon.console.orca_api.requests import PAGE

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """One list, such as the orphans of a job; equal lists have the same `key`."""

    key: tuple[str, object]
    statement: TextClause
    parameters: Mapping[str, Any]
    ordered_by: Mapping[str, str]
    """Parameters of the cursor, to the columns whose values of the last row they get; unique together."""


@dataclass(frozen=True, slots=True)
class Page:
    """Up to 100 rows, whether there are more, and the cursor of the page after it."""

    rows: Sequence[Row]
    another: bool
    cursor: Cursor | None


def page_parameters(query: ListQuery, start: Start, most: int) -> dict[str, Any]:
    """The parameters of the statement for at most so many rows from there on."""
    after = start.after or (None,) * len(query.ordered_by)
    return {
        **query.parameters,
        **dict(zip(query.ordered_by, after, strict=True)),
        "skip": start.skip,
        "most": most,
    }


def read_page(connection: Connection, query: ListQuery, start: Start) -> Page:
    """The rows from there on."""
    parameters = page_parameters(query, start, PAGE + 1)
    found = [dict(row) for row in connection.execute(query.statement, parameters).mappings()]
    rows = found[:PAGE]
    another = len(found) > PAGE
    cursor = tuple(rows[-1][column] for column in query.ordered_by.values()) if another else None
    return Page(rows, another, cursor)
