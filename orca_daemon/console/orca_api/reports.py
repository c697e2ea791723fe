"""Reads reconciliation jobs and their three reports, page by page."""

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


def report_query(report: str, job: int) -> ListQuery:
    """The rows of one report of a job: `orphans`, `phantoms` or `mismatches`."""
    return ListQuery(
        key=(report, job), statement=_SQL[report], parameters={"job": job}, ordered_by=_ORDERS[report]
    )


def read_jobs(connection: Connection, query: ListQuery, start: Start) -> tuple[bytes, Cursor | None]:
    """The page of jobs that starts there, as JSON, and the cursor of the page after it."""
    page = read_page(connection, query, start)
    jobs = [_job(row) for row in page.rows]
    return encoded({"anotherPage": page.another, "jobs": jobs}), page.cursor


def _job(row: Row) -> Row:
    fields = {name: value for name, value in row.items() if name not in _TOTALS}
    return {**fields, "reportTotals": {name: row[name] for name in _TOTALS}}


def read_report(connection: Connection, query: ListQuery, start: Start) -> tuple[bytes, Cursor | None]:
    """The page of a report that starts there, as JSON, and the cursor of the page after it."""
    page = read_page(connection, query, start)
    report, job = query.key
    return encoded({"jobId": job, "anotherPage": page.another, report: page.rows}), page.cursor
