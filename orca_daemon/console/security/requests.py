"""Counts and times each request, and answers for whatever fails, without telling the visitor how."""

import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orca_daemon.console.metrics import ConsoleMetrics
from orca_daemon.console.security.answers import refusal
from orca_daemon.db.failures import PostgresError
from orca_daemon.engine.errors import DependencyDown

_log: Any = structlog.get_logger()
_FAILED = "The console failed; its log says why."
_METHODS = frozenset({"GET", "HEAD", "POST"})


class Requests:
    """An ASGI layer."""

    def __init__(self, app: ASGIApp, metrics: ConsoleMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer with an error page if that fails."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:  # noqa: BLE001  the visitor gets an answer after any failure
            if status:  # the answer has begun, so it can only be cut off
                _log.warning("console.cut_off", page=_page(scope), error=type(error).__name__)
                raise _CutOffError from None
            await _failure(scope, error)(scope, receive, noting)
        finally:
            page = _page(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(page, method, str(status or "none")).inc()
            self._metrics.seconds.labels(page).observe(time.monotonic() - began)


class _CutOffError(Exception):
    """The connection must be closed, because the answer cannot be completed."""


def _failure(scope: Scope, error: Exception) -> Any:
    if isinstance(error, DependencyDown):
        # Its reason names the server, which is for the log.
        _log.warning("console.dependency_down", page=_page(scope), reason=str(error))
        return refusal(scope, 503, f"The {error.dependency} does not answer; nothing can be shown now.")
    if isinstance(error, PostgresError):
        _log.warning("console.query_failed", page=_page(scope), reason=str(error))
        return refusal(
            scope, 503, "The database did not answer this in time, or refused it; the log says why."
        )
    _log.error("console.failed", page=_page(scope), exc_info=error)
    return refusal(scope, 500, _FAILED)


def _page(scope: Scope) -> str:
    """The template of the path, which has no values; those would be labels without a bound."""
    if scope["path"].startswith("/static/"):
        return "/static"
    return str(getattr(scope.get("route"), "path", "none"))
