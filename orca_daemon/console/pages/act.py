"""`/act/NAME`: the preview of an action, its confirmation, and the continuation of one that was cut short.

A page offers an action by a form that posts the action's fields to `/act/NAME`, with the `csrf_token`.
The layers let nobody in here who may not act (`security.access`).
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from orca_daemon.console.acting.action import Action, Fields
from orca_daemon.console.acting.catalog import actions
from orca_daemon.console.context import Context
from orca_daemon.console.rendering import page
from orca_daemon.console.security.forms import CSRF
from orca_daemon.db.actions import OtherActionError
from orca_daemon.operations import actions as record

router = APIRouter(prefix="/act", include_in_schema=False)
ID = "action_id"


@router.post("/continue")
async def resume(request: Request, context: Context) -> Response:
    """Do the rest of an action that was cut short, as it was confirmed."""
    action_id = _id((await _form(request)).get(ID))
    found = await record.find(context.database, action_id)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no action with this id.")
    action = _action(_name(found))
    known = {name: value for name, value in found.filter.items() if name in action.fields.model_fields}
    return await _begin(request, context, action, _fields(action, known), action_id)


def _name(found: record.Action) -> str:
    """The name of a recorded action here: operations record theirs with the words of their commands."""
    if "reason_id" in found.filter:
        return "redrive_reason" if "queue" in found.filter else "recover_reason"
    return found.what


@router.post("/{name}")
async def preview(request: Request, context: Context, name: str) -> HTMLResponse:
    """Say what will happen.  Nothing happens yet."""
    action, form = _action(name), await _form(request)
    action_id = _id(form.pop(ID, None) or str(uuid4()))
    fields = _fields(action, form)
    try:
        what = await action.preview(context, fields)
    except ValueError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from None
    values = fields.model_dump(mode="json")
    return page(request, "preview.html", action=action, preview=what, fields=values, action_id=str(action_id))


@router.post("/{name}/confirm")
async def confirm(request: Request, context: Context, name: str) -> Response:
    """Begin the action, unless its id says that it was begun; then show it."""
    action, form = _action(name), await _form(request)
    action_id = _id(form.pop(ID, None))
    return await _begin(request, context, action, _fields(action, form), action_id)


async def _begin(
    request: Request, context: Context, action: Action[Any], fields: Fields, action_id: UUID
) -> Response:
    who = request.state.visitor.name
    try:
        await context.runs.begin(context, action, fields, action_id, who)
    except OtherActionError:
        sentence = "This id belongs to another action.  Begin again from the page where you were."
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from None
    await context.runs.settle(context, action_id)
    return RedirectResponse(f"/actions/action?id={action_id}", HTTPStatus.SEE_OTHER)


async def _form(request: Request) -> dict[str, str]:
    form = await request.form()
    return {name: str(value) for name, value in form.items() if name != CSRF}


def _action(name: str) -> Action[Any]:
    action = actions().get(name)
    if action is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such action.")
    return action


def _fields(action: Action[Any], form: Mapping[str, Any]) -> Any:
    try:
        return action.fields.model_validate(form)
    except ValidationError as error:
        names = sorted({str(each["loc"][0]) for each in error.errors() if each["loc"]})
        known = [name for name in names if name in action.fields.model_fields]
        sentence = (
            f"These fields are missing or wrong: {', '.join(known) or 'some that this form does not have'}."
        )
        raise HTTPException(HTTPStatus.BAD_REQUEST, sentence) from None


def _id(text: str | None) -> UUID:
    try:
        return UUID(text or "")
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "The form has no id of an action.") from None
