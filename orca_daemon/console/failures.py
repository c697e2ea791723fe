"""Answers for what routes refuse: unknown paths, wrong values; never with the value itself."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from orca_daemon.console.rendering import page
from orca_daemon.console.security.answers import belongs_to_api, refusal

_SENTENCES = {
    HTTPStatus.NOT_FOUND: "There is no such page.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This page does not take forms.",
}


def answer_failures(app: FastAPI) -> None:
    """Register the answers."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)


def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    # The text of an error that a page raises is ours; Starlette's own is the phrase of the status.
    detail = str(getattr(error, "detail", ""))
    phrase = HTTPStatus(status).phrase
    sentence = _SENTENCES.get(HTTPStatus(status), phrase) if detail in {"", phrase} else detail
    return _answer(request, status, sentence)


def _invalid(request: Request, error: Exception) -> Response:
    found: list[Any] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    # The name of a parameter that a page knows; the location of a body's mistake may hold what was sent.
    names = sorted({str(each["loc"][1]) for each in found if len(each["loc"]) == 2})  # noqa: PLR2004  kind, name
    sentence = f"These have a value that this page does not take: {', '.join(names) or 'its parameters'}."
    return _answer(request, HTTPStatus.BAD_REQUEST, sentence)


def _answer(request: Request, status: int, sentence: str) -> Response:
    if belongs_to_api(request.scope["path"]):
        return refusal(request.scope, status, sentence)
    title = HTTPStatus(status).phrase
    return page(request, "failure.html", status=status, title=title, sentence=sentence)
