"""The pages `/actions`: what operators did, by the console and by commands, and what came of it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from orca_daemon.console import action_words, cursors
from orca_daemon.console.context import ConsoleContext, Context
from orca_daemon.console.rendering import page
from orca_daemon.console.show import link
from orca_daemon.console.states import State
from orca_daemon.db.actions import FRESH
from orca_daemon.db.sql import load
from orca_daemon.operations.action_words import about

router = APIRouter()
_SQL = load(__package__, "actions.sql")
_ROWS = 50
_SILENT = timedelta(seconds=FRESH)
"""After this time without a sign of life an action that has not finished counts as broken off."""
_LAST, _LAST_ID = datetime(9999, 1, 1, tzinfo=UTC), "ffffffff-ffff-ffff-ffff-ffffffffffff"


@router.get("/actions", response_class=HTMLResponse, include_in_schema=False)
async def actions(
    request: Request,
    context: Context,
    who: Annotated[str, Query(max_length=256)] = "",
    what: Annotated[str, Query(max_length=64)] = "",
    after: Annotated[str, Query(max_length=1_000)] = "",
) -> HTMLResponse:
    """The list."""
    who, what = who.strip().replace("\x00", ""), what.replace("\x00", "")
    problems: list[str] = []
    time, last_id = _LAST, _LAST_ID
    if after:
        try:
            time, last_id = cursors.read(after, datetime, str)
            last_id = str(UUID(last_id))
        except (cursors.CursorError, ValueError):
            problems.append(cursors.NO_PAGE)
            time, last_id = _LAST, _LAST_ID
    values = {"time": time, "id": last_id, "who": who or None, "what": what or None, "limit": _ROWS + 1}
    rows = await context.reader.rows(_SQL["page"].text, values)
    kinds = [row.what for row in await context.reader.rows(_SQL["kinds"].text)]
    last = rows[_ROWS - 1] if len(rows) > _ROWS else None
    now, parameters = datetime.now(UTC), {"who": who, "what": what}
    return page(
        request,
        "actions.html",
        actions=[{"row": row, "state": state_of(row, now), "on": about(row.filter)} for row in rows[:_ROWS]],
        kinds=kinds,
        parameters=parameters,
        filtered=any(parameters.values()),
        problems=problems,
        next=cursors.write(last.at, str(last.id)) if last else None,
        first=bool(after),
        address=link("/actions", parameters, after=after),
    )


@router.get("/actions/action", response_class=HTMLResponse, include_in_schema=False)
async def action(request: Request, context: Context, id: str) -> HTMLResponse:  # noqa: A002  the name in the address
    """One action with all that is known of it."""
    try:
        rows = await context.reader.rows(_SQL["action"].text, {"id": str(UUID(id))})
    except ValueError:
        rows = []
    if not rows and _begins(context, id):
        return page(request, "begun.html", every=1, address=link("/actions/action", {"id": id}))
    if not rows:
        return page(request, "missing.html", status=404, what="action", name=id, back="/actions")
    (row,) = rows
    return page(
        request,
        "action.html",
        action=row,
        state_of=state_of(row, datetime.now(UTC)),
        filter=action_words.chosen(row.what, row.filter),
        result=action_words.result(row.what, row.result),
        means=action_words.means(row.what),
        places=action_words.places(row.what, row.filter),
        every=3,
        address=link("/actions/action", {"id": id}),
    )


def _begins(context: ConsoleContext, text: str) -> bool:
    """Whether the action is carried out here, and is not recorded yet."""
    try:
        return context.runs.under_way(UUID(text))
    except ValueError:
        return False


def state_of(row: Any, now: datetime) -> State:
    """How far an action is."""
    if row.finished_at is not None:
        return State("failed", "bad") if row.error_message else State("done", "good")
    return State("running", "open") if now - row.seen_at < _SILENT else State("broken off", "warn")
