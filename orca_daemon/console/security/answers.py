"""Answers of the layers themselves: refusals and failures, as a page, or as JSON below the API."""

from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Scope

from orca_daemon.console import orca_api
from orca_daemon.console.rendering import environment


def belongs_to_api(path: str) -> bool:
    """Whether a path is one of ORCA's read API, which answers in JSON only."""
    known = ("/orca_api", *orca_api.PREFIXES)
    return any(f"{path}/".startswith(f"{each.rstrip('/')}/") for each in known)


def refusal(scope: Scope, status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """The answer with this status; `sentence` says why, and holds nothing of the request."""
    if belongs_to_api(scope["path"]):
        response = orca_api.failure(status, sentence)
    else:
        title = HTTPStatus(status).phrase
        text = environment.get_template("failure.html").render(
            title=title, sentence=sentence, path="", who=None, may_act=False, csrf_token=""
        )
        response = Response(text, status, media_type="text/html")
    response.headers.update(headers or {})
    return response
