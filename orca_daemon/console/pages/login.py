"""The pages `/login` and `/logout`."""

import time
from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from orca_daemon.console.action_words import label
from orca_daemon.console.context import Context
from orca_daemon.console.rendering import page
from orca_daemon.console.security import forms
from orca_daemon.console.security.access import LOGIN, LOGOUT, too_many
from orca_daemon.console.security.cookies import session_cookie
from orca_daemon.console.security.late_forms import unpacked
from orca_daemon.console.security.visitors import Visitor

router = APIRouter(include_in_schema=False)
_log: Any = structlog.get_logger()
_LONGEST = 1024
_WRONG = "This token is nobody's."


@router.get(LOGIN)
async def show(request: Request, next: str = "/") -> HTMLResponse:  # noqa: A002  the name in the address
    """The form."""
    return page(request, "login.html", next=forms.local(next), kept="", sentence="")


@router.post(LOGIN)
async def enter(
    request: Request,
    context: Context,
    token: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002  the name in the form
    kept: Annotated[str, Form()] = "",
) -> Response:
    """Begin a session, or show the form again."""
    guard, peer, now = context.guard, request.state.visitor.peer, time.monotonic()
    if seconds := guard.throttle.wait(peer.group, now):
        return too_many(request.scope, seconds, context.metrics)
    name = guard.tokens.holder(token.strip()) if len(token) <= _LONGEST else None
    if name is None:
        guard.throttle.failed(peer.group, now)
        context.metrics.refused.labels("token").inc()
        _log.warning("login.refused", peer=peer.group, way="form")
        status = HTTPStatus.UNAUTHORIZED
        return page(request, "login.html", status=status, next=forms.local(next), kept=kept, sentence=_WRONG)
    _log.info("login.accepted", peer=peer.group, who=name)
    return _after(request, context, name, next, kept)


def _after(request: Request, context: Context, name: str, next_path: str, kept: str) -> Response:
    """To the page that was asked for, or to the form that was kept."""
    guard, wall = context.guard, time.time()
    cookie = guard.sessions.begin(name, wall)
    form = unpacked(kept) if kept else None
    if form is None:
        answer: Response = RedirectResponse(forms.local(next_path), HTTPStatus.SEE_OTHER)
    else:
        session = guard.sessions.read(cookie, wall)
        nonce = session.nonce if session else ""
        request.state.visitor = Visitor(
            peer=request.state.visitor.peer,
            name=name,
            proof="session",
            may_read=True,
            may_act=context.settings.console.actions,
            nonce=nonce,
            csrf_token=guard.visitors.csrf_token(nonce, name),
        )
        answer = page(request, "kept_form.html", action=form[0], fields=form[1], label=label)
    secure = request.state.visitor.peer.secure
    seconds = context.settings.console.session_hours * 3600
    answer.headers.append("Set-Cookie", session_cookie(cookie, seconds, secure=secure))
    return answer


@router.post(LOGOUT)
async def leave(request: Request, context: Context) -> Response:
    """End the session."""
    visitor: Visitor = request.state.visitor
    if visitor.session:
        context.guard.sessions.end(visitor.session, time.time())
    answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    answer.headers.append("Set-Cookie", session_cookie("", 0, secure=visitor.peer.secure))
    return answer
