"""The pages `/exports`: the tables that are exported, how far, and the files of one."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from orca_daemon.console.context import Context
from orca_daemon.console.exports import Exports
from orca_daemon.console.rendering import page
from orca_daemon.console.show import link
from orca_daemon.export.tables import allowed

router = APIRouter()
_ROWS = 100


@router.get("/exports", response_class=HTMLResponse, include_in_schema=False)
async def exports(request: Request, context: Context) -> HTMLResponse:
    """All tables."""
    bucket = context.settings.export.bucket
    return page(
        request,
        "exports.html",
        bucket=bucket,
        tables=await exports_of(request).tables(context) if bucket else [],
        change_times={
            name: bool(table.change_times) for name, table in allowed(context.settings.export).items()
        },
        every=30,
        address="/exports",
    )


@router.get("/exports/table", response_class=HTMLResponse, include_in_schema=False)
async def table(
    request: Request,
    context: Context,
    name: Annotated[str, Query(max_length=256)],
    offset: Annotated[int, Query(ge=0, le=1_000)] = 0,
) -> HTMLResponse:
    """The files of one table."""
    if context.settings.export.bucket is None or name not in allowed(context.settings.export):
        return page(request, "missing.html", status=404, what="exported table", name=name, back="/exports")
    listed = await exports_of(request).table(context, name)
    parameters = {"name": name}
    return page(
        request,
        "exported_table.html",
        table=listed,
        files=listed.files[offset : offset + _ROWS],
        bucket=context.settings.export.bucket,
        parameters=parameters,
        older=link("/exports/table", parameters, offset=offset + _ROWS)
        if offset + _ROWS < len(listed.files)
        else None,
        first=offset > 0,
        every=30,
        address=link("/exports/table", parameters, offset=offset or None),
    )


def exports_of(request: Request) -> Exports:
    """The listings that all pages share."""
    state = request.app.state
    if not hasattr(state, "exports"):
        state.exports = Exports()
    found: Exports = state.exports
    return found
