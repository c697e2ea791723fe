"""Finds pages by what is remembered of their list, else by a walk along its order, or by one pass."""

import time
from collections.abc import Callable

from fastapi import Request
from sqlalchemy import Connection

from orca_daemon.console.orca_api import catalog
from orca_daemon.console.orca_api.ahead import RowsAhead
from orca_daemon.console.orca_api.errors import TIMED_OUT
from orca_daemon.console.orca_api.lists import ListQuery
from orca_daemon.console.orca_api.positions import Cursor, Positions, Start
from orca_daemon.console.orca_api.reports import JOBS, Totals
from orca_daemon.console.orca_api.requests import PAGE
from orca_daemon.console.reader import Reader
from orca_daemon.db.failures import PostgresError

WALK_SECONDS = 0.3
"""How long to walk along the order for granules that may lie far apart, before one pass is made instead."""
SKIP_SECONDS = 0.0001
"""How much longer for each row that is skipped on the way."""
LONGEST_WALK = 6.0
"""How long at most."""

Reading = Callable[[Connection, ListQuery, Start], tuple[bytes, Cursor | None]]
"""Reads the page that starts there; returns it as JSON, and the cursor of the page after it."""


class Pages:
    """The pages of all lists of one console, with its memory of them."""

    def __init__(self) -> None:
        self._positions, self._ahead, self._totals = Positions(), RowsAhead(), Totals()

    async def of(self, reader: Reader, query: ListQuery, page: int, read: Reading) -> bytes:
        """The page of a list, as JSON."""
        content, cursor = await reader.read(read, query, self._start(query, page))
        self._learn(query, page + 1, cursor)
        return content

    async def of_jobs(self, reader: Reader, page: int) -> bytes:
        """The page of reconciliation jobs, as JSON."""
        return await self.of(reader, JOBS, page, self._totals.read_jobs)

    async def of_catalog(self, reader: Reader, query: ListQuery, page: int) -> bytes:
        """The page of granules, as JSON."""
        if found := self._ahead.page(query.key, page * PAGE, time.monotonic()):
            return await reader.read(catalog.read_found, found)
        if self._start(query, page).skip > catalog.FAR and catalog.can_be_surveyed(query):
            for row, place in (await reader.read(catalog.survey, query, page * PAGE)).items():
                self._positions.learn(query.key, row, place, time.monotonic())
        start = self._start(query, page)
        if not catalog.may_be_sparse(query):
            content, cursor = await reader.read(catalog.read_catalog, query, start)
        else:
            try:
                limit = min(WALK_SECONDS + start.skip * SKIP_SECONDS, LONGEST_WALK)
                content, cursor = await reader.read(catalog.read_catalog, query, start, limit)
            except PostgresError as error:
                if error.sqlstate != TIMED_OUT:
                    raise
                return await self._by_one_pass(reader, query, page, start)
        self._learn(query, page + 1, cursor)
        return content

    async def _by_one_pass(self, reader: Reader, query: ListQuery, page: int, start: Start) -> bytes:
        rows, cursor = await reader.read(catalog.look_ahead, query, start)
        now, first = time.monotonic(), page * PAGE
        self._ahead.learn(query.key, first, rows, complete=cursor is None, now=now)
        self._learn(query, page + len(rows) // PAGE, cursor)
        found = self._ahead.page(query.key, first, now)
        assert found is not None  # noqa: S101  it was learned just now
        return await reader.read(catalog.read_found, found)

    def _start(self, query: ListQuery, page: int) -> Start:
        return self._positions.start(query.key, page * PAGE, time.monotonic())

    def _learn(self, query: ListQuery, page: int, cursor: Cursor | None) -> None:
        if cursor is not None:
            self._positions.learn(query.key, page * PAGE, cursor, time.monotonic())


def pages_of(request: Request) -> Pages:
    """The pages of the console that serves this request."""
    pages: Pages = request.app.state.pages
    return pages
