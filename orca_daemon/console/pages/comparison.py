"""The pages `/reconciliation/job?id=`: one comparison with the rows of its reports, which are also CSV."""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from orca_daemon.console import cursors
from orca_daemon.console.context import Context
from orca_daemon.console.difference_counts import differences
from orca_daemon.console.pages.reconciliation import STATES
from orca_daemon.console.reader import Reader
from orca_daemon.console.rendering import page
from orca_daemon.console.show import link
from orca_daemon.db.sql import load
from orca_daemon.operations.spreadsheet import cell
from orca_daemon.wire.reconciliation import DifferenceKind

router = APIRouter()
_SQL = load(__package__, "reconciliation.sql")
_ROWS = 100
_CHUNK = 5_000
"""Rows of a download that are read at a time."""
_LARGEST_ID = 2**63 - 1
KINDS: Mapping[str, tuple[str, str]] = {
    DifferenceKind.PHANTOM.value: ("Phantoms", "In the catalog, but not in S3"),
    DifferenceKind.ORPHAN.value: ("Orphans", "In S3, but not in the catalog"),
    DifferenceKind.MISMATCH.value: ("Mismatches", "In both, but different"),
}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "phantom": (
        *("key_path", "collection_id", "granule_id", "filename"),
        *("orca_etag", "orca_last_update", "orca_size_in_bytes", "orca_storage_class"),
    ),
    "orphan": ("key_path", "s3_etag", "s3_last_update", "s3_size_in_bytes", "s3_storage_class"),
    "mismatch": (
        *("key_path", "discrepancy_type", "collection_id", "granule_id", "filename"),
        *("cumulus_archive_location", "orca_etag", "s3_etag", "orca_last_update", "s3_last_update"),
        *("orca_size_in_bytes", "s3_size_in_bytes", "orca_storage_class", "s3_storage_class"),
    ),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of which report."""

    job: int
    kind: str
    collection: str = ""
    q: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """The same for an address."""
        return {"id": self.job, "kind": self.kind, "collection": self.collection, "q": self.q}

    def values(self, after: Sequence[str], limit: int) -> dict[str, Any]:
        """The parameters of its statement; `after` is the place of the last row before."""
        place = dict(zip(("collection", "granule", "key"), after, strict=True))
        return {
            "job": self.job,
            "only": self.collection or None,
            "text": self.q or None,
            "limit": limit,
            **place,
        }


_START = ("", "", "")
Id = Annotated[int, Query(ge=0, le=_LARGEST_ID)]
Kind = Annotated[str, Query(max_length=16)]
Text = Annotated[str, Query(max_length=1_024)]


@router.get("/reconciliation/job", response_class=HTMLResponse, include_in_schema=False)
async def comparison(
    request: Request,
    context: Context,
    id: Id,  # noqa: A002  the name in the address
    kind: Kind = "",
    collection: Text = "",
    q: Text = "",
    after: Annotated[str, Query(max_length=16_000)] = "",
) -> HTMLResponse:
    """One comparison, and a page of one of its reports."""
    rows = await context.reader.rows(_SQL["job"].text, {"job": id})
    if not rows:
        return page(request, "missing.html", status=404, what="comparison", name=id, back="/reconciliation")
    counts = (await differences(context.reader, [id]))[id]
    if kind not in KINDS:
        kind = max(KINDS, key=counts.of) if counts.total else "phantom"
    wanted = Wanted(id, kind, collection.replace("\x00", ""), q.strip().replace("\x00", ""))
    start: Sequence[str] = _START
    if after:
        try:
            start = cursors.read(after, str, str, str)
        except cursors.CursorError:
            after = ""
    found = await context.reader.rows(_SQL[kind].text, wanted.values(start, _ROWS + 1))
    shown = found[:_ROWS]
    return page(
        request,
        "comparison.html",
        job=rows[0],
        state_of=STATES[rows[0].status_id],
        counts=counts,
        kinds=KINDS,
        wanted=wanted,
        rows=shown,
        filtered=bool(wanted.collection or wanted.q),
        next=cursors.write(*_place(shown[-1])) if len(found) > _ROWS else None,
        first=bool(after),
        address=link("/reconciliation/job", wanted.parameters, after=after),
    )


@router.get("/reconciliation/report.csv", include_in_schema=False)
async def report(
    context: Context,
    id: Id,  # noqa: A002  the name in the address
    kind: Kind,
    collection: Text = "",
    q: Text = "",
) -> Response:
    """One report, or the rows of it that the filters leave, as CSV; sent as it is read."""
    if kind not in KINDS or not await context.reader.rows(_SQL["job"].text, {"job": id}):
        return Response("There is no such report.\n", 404, media_type="text/plain")
    wanted = Wanted(id, kind, collection.replace("\x00", ""), q.strip().replace("\x00", ""))
    return StreamingResponse(
        _lines(context.reader, wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{kind}-report-{id}.csv"'},
    )


async def _lines(reader: Reader, wanted: Wanted) -> AsyncIterator[str]:
    columns = _COLUMNS[wanted.kind]
    yield _csv([columns])
    place: Sequence[str] = _START
    while rows := await reader.rows(_SQL[wanted.kind].text, wanted.values(place, _CHUNK)):
        yield _csv([[cell(row[name]) for name in columns] for row in rows])
        place = _place(rows[-1])


def _place(row: Any) -> tuple[str, str, str]:
    return str(row.get("collection_id", "")), str(row.get("granule_id", "")), str(row["key_path"])


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
