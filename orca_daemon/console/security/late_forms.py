"""A form whose visitor may not act, or not any more: it is kept, nothing is done, and a log-in is offered."""

import json
from http import HTTPStatus

from starlette.responses import Response

from orca_daemon.console.rendering import environment
from orca_daemon.console.security import forms
from orca_daemon.console.security.visitors import Visitor

_LARGEST = 64 * 1024


def session_ended(path: str, fields: forms.Fields, visitor: Visitor) -> Response:
    """The log-in page with the content of the form in it."""
    text = environment.get_template("login.html").render(
        path="/login",
        who=None,
        may_act=False,
        csrf_token=visitor.csrf_token,
        next=path,
        kept=packed(path, fields),
        sentence="You are not logged in, or not any more.  Nothing was done; what you entered is kept.",
    )
    return Response(text, HTTPStatus.UNAUTHORIZED, media_type="text/html")


def packed(path: str, fields: forms.Fields) -> str:
    """A form as one text; empty if it is too large to be kept."""
    text = json.dumps([path, forms.kept(fields)])
    return text if len(text) <= _LARGEST else ""


def unpacked(text: str) -> tuple[str, forms.Fields] | None:
    """The path and the fields of a packed form; None if it is not one.

    The text comes back from the browser.  It only fills a form that its visitor sees and sends, or not.
    """
    try:
        path, fields = json.loads(text)
        return forms.local(str(path)), [(str(name), str(value)) for name, value in fields]
    except (ValueError, TypeError):
        return None
