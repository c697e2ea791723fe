"""Reads reconciliation jobs and their three reports, page by page."""

from collections.abc import Sequence

from sqlalchemy import Connection

from orca_daemon.console.orca_api.lists import ListQuery, Row, read_page
from orca_daemon.console.orca_api.positions import Cursor, Start
from orca_daemon.console.orca_api.values import encoded
from orca_daemon.db.sql import load

_SQL = load(__package__, "reports.sql")
JOBS = ListQuery(
    key=("jobs", None),
    statement=_SQL["jobs"],
    parameters={},
    ordered_by={"after_time": "inventoryCreationTime", "after_id": "id"},
)
_BY_FILE = {
    "after_collection": "collectionId",
    "after_granule": "granuleId",
    "after_filename": "filename",
    "after_key": "keyPath",
}
_ORDERS = {"orphans": {"after_key": "keyPath"}, "phantoms": _BY_FILE, "mismatches": _BY_FILE}
_TOTALS = ("orphan", "phantom", "catalogMismatch")
_ENDED = ("success", "error")
MOST_TOTALS = 2_000
"""Jobs whose totals are remembered."""


def report_query(report: str, job: int) -> ListQuery:
    """The rows of one report of a job: `orphans`, `phantoms` or `mismatches`."""
    return ListQuery(
        key=(report, job), statement=_SQL[report], parameters={"job": job}, ordered_by=_ORDERS[report]
    )


class Totals:
    """The sizes of the reports of jobs that have ended; they do not change until the job expires."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Row] = {}

    def read_jobs(
        self, connection: Connection, query: ListQuery, start: Start
    ) -> tuple[bytes, Cursor | None]:
        """The page of jobs that starts there, as JSON, and the cursor of the page after it."""
        page = read_page(connection, query, start)
        known = self._known  # another thread may replace it
        unknown = [job["id"] for job in page.rows if _version(job) not in known]
        counted: dict[int, Row] = {job: dict.fromkeys(_TOTALS, 0) for job in unknown}
        if unknown:
            for row in connection.execute(_SQL["totals"], {"jobs": unknown}):
                counted[row.job_id][row.report] = row.total
        jobs = [{**job, "reportTotals": counted.get(job["id"]) or known[_version(job)]} for job in page.rows]
        self._learn(jobs)
        return encoded({"anotherPage": page.another, "jobs": jobs}), page.cursor

    def _learn(self, jobs: Sequence[Row]) -> None:
        learned = {_version(job): job["reportTotals"] for job in jobs if job["status"] in _ENDED}
        kept = self._known if len(self._known) < MOST_TOTALS else {}
        self._known = {**kept, **learned}


def _version(job: Row) -> tuple[object, ...]:
    return job["id"], job["status"], job["lastUpdate"]


def read_report(connection: Connection, query: ListQuery, start: Start) -> tuple[bytes, Cursor | None]:
    """The page of a report that starts there, as JSON, and the cursor of the page after it."""
    page = read_page(connection, query, start)
    report, job = query.key
    return encoded({"jobId": job, "anotherPage": page.another, report: page.rows}), page.cursor
