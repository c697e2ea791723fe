"""The page `/reconciliation`: buckets with the trend of their differences, and all comparisons."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from orca_daemon.console import cursors
from orca_daemon.console.context import Context
from orca_daemon.console.difference_counts import differences
from orca_daemon.console.reader import Reader
from orca_daemon.console.rendering import page
from orca_daemon.console.show import link
from orca_daemon.console.states import State
from orca_daemon.console.trend import Trend, trend
from orca_daemon.db.sql import load
from orca_daemon.wire.reconciliation import ReconcileStatus

router = APIRouter()
_SQL = load(__package__, "reconciliation.sql")
_ROWS = 50
_EACH = 30
"""Comparisons in a chart."""
_LAST = datetime(9999, 1, 1, tzinfo=UTC)
_LARGEST_ID = 2**63 - 1
STATES: Mapping[int, State] = {
    ReconcileStatus.GETTING_S3_LIST: State("fetching the listing", "open"),
    ReconcileStatus.STAGED: State("listing fetched", "open"),
    ReconcileStatus.GENERATING_REPORTS: State("comparing", "open"),
    ReconcileStatus.ERROR: State("failed", "bad"),
    ReconcileStatus.SUCCESS: State("success", "good"),
}
_STATUSES = {
    "": None,
    "running": 1,
    "failed": ReconcileStatus.ERROR.value,
    "success": ReconcileStatus.SUCCESS.value,
}


@router.get("/reconciliation", response_class=HTMLResponse, include_in_schema=False)
async def reconciliation(
    request: Request,
    context: Context,
    bucket: Annotated[str, Query(max_length=255)] = "",
    status: Annotated[str, Query(max_length=16)] = "",
    after: Annotated[str, Query(max_length=8_000)] = "",
) -> HTMLResponse:
    """The page."""
    status = "success" if status == "compared" else status  # as addresses had it
    status = status if status in _STATUSES else ""
    bucket = bucket.replace("\x00", "")
    problems: list[str] = []
    time, last_id = _LAST, _LARGEST_ID
    if after:
        try:
            time, last_id = cursors.read(after, datetime, int)
        except cursors.CursorError as error:
            problems.append(str(error))
    values = {"time": time, "id": last_id, "bucket": bucket or None, "status": _STATUSES[status]}
    rows = await context.reader.rows(_SQL["jobs"].text, {**values, "limit": _ROWS + 1})
    shown = rows[:_ROWS]
    counts = await differences(context.reader, [row.id for row in shown])
    parameters = {"bucket": bucket, "status": status}
    last = shown[-1] if len(rows) > _ROWS else None
    trends = await _trends(context.reader)
    return page(
        request,
        "reconciliation.html",
        trends=trends,
        jobs=[{"row": row, "state": STATES[row.status_id], "differences": counts[row.id]} for row in shown],
        buckets=sorted({*(each.bucket for each in trends), *([bucket] if bucket else [])}),
        statuses=_STATUSES,
        parameters=parameters,
        filtered=any(parameters.values()),
        problems=problems,
        next=cursors.write(last.inventory_creation_time, last.id) if last else None,
        first=bool(after),
        address=link("/reconciliation", parameters, after=after),
    )


async def _trends(reader: Reader) -> list[Trend]:
    rows = [
        row
        for row in await reader.rows(_SQL["newest"].text, {"each": _EACH})
        if row.status_id == ReconcileStatus.SUCCESS
    ]
    counts = await differences(reader, [row.id for row in rows])
    return [
        trend(bucket, [(row.inventory_creation_time, row.id, counts[row.id]) for row in jobs])
        for bucket, jobs in groupby(rows, key=lambda row: str(row.bucket))
    ]
