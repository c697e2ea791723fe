"""Lets a request in if its visitor may read, or act; every form passes here, so that no page can forget."""

import time
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import structlog
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orca_daemon.console.metrics import ConsoleMetrics
from orca_daemon.console.security import forms
from orca_daemon.console.security.answers import belongs_to_api, refusal
from orca_daemon.console.security.cookies import visit_cookie
from orca_daemon.console.security.hosts import PROBES
from orca_daemon.console.security.late_forms import session_ended
from orca_daemon.console.security.limits import replayed
from orca_daemon.console.security.peers import Peer, networks, peer_of
from orca_daemon.console.security.throttle import Throttle
from orca_daemon.console.security.visitors import Visitor, Visitors, WrongTokenError
from orca_daemon.settings import ConsoleSection

LOGIN, LOGOUT = "/login", "/logout"
_READING = frozenset({"GET", "HEAD"})
_log: Any = structlog.get_logger()


class Access:
    """An ASGI layer; the innermost.  Routes find the visitor in `request.state.visitor`."""

    def __init__(
        self,
        app: ASGIApp,
        settings: ConsoleSection,
        visitors: Visitors,
        throttle: Throttle,
        metrics: ConsoleMetrics,
    ) -> None:
        self._app, self._settings, self._visitors = app, settings, visitors
        self._throttle, self._metrics = throttle, metrics
        self._trusted = networks(settings.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its visitor, or refuse it."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        body = await receive()
        peer = peer_of(scope, self._trusted, self._settings.user_header)
        answer = self._judge(scope, body.get("body", b""), peer) or self._app
        await answer(scope, replayed(body, receive), self._with_visit(scope, send))

    def _judge(self, scope: Scope, body: bytes, peer: Peer) -> Response | None:
        """The refusal; None if the request may go on."""
        headers = Headers(scope=scope)
        try:
            visitor = self._recognise(headers, peer)
        except WrongTokenError:
            return self._refuse(scope, HTTPStatus.UNAUTHORIZED, "token", "This token is nobody's.")
        except _TooManyError as error:
            return too_many(scope, error.seconds, self._metrics)
        scope.setdefault("state", {})["visitor"] = visitor
        path, method = scope["path"], scope["method"]
        if belongs_to_api(path):
            allowed = visitor.may_read or self._settings.orca_api == "open"
            return None if allowed else self._refuse(scope, HTTPStatus.UNAUTHORIZED, "no_token", _NEEDS_TOKEN)
        if method in _READING:
            return self._judge_reading(scope, visitor)
        return self._judge_form(scope, headers, body, visitor)

    def _recognise(self, headers: Headers, peer: Peer) -> Visitor:
        if self._visitors.bearer(headers) is not None:
            now = time.monotonic()
            if seconds := self._throttle.wait(peer.group, now):
                raise _TooManyError(seconds)
            try:
                return self._visitors.recognise(headers, peer, time.time())
            except WrongTokenError:
                self._throttle.failed(peer.group, now)
                _log.warning("login.refused", peer=peer.group, way="bearer")
                raise
        return self._visitors.recognise(headers, peer, time.time())

    def _judge_reading(self, scope: Scope, visitor: Visitor) -> Response | None:
        path = scope["path"]
        if visitor.may_read or path == LOGIN or path.startswith("/static/"):
            return None
        if "text/html" not in Headers(scope=scope).get("accept", "text/html"):
            return self._refuse(scope, HTTPStatus.UNAUTHORIZED, "no_token", _NEEDS_TOKEN)
        if "hx-request" in Headers(scope=scope):  # htmx would put the log-in into the middle of the page
            answer = self._refuse(scope, HTTPStatus.UNAUTHORIZED, "no_token", _NEEDS_TOKEN)
            answer.headers["HX-Refresh"] = "true"
            return answer
        query = scope["query_string"].decode("ascii", "replace")
        there = quote(f"{path}?{query}" if query else path, safe="")
        return RedirectResponse(f"{LOGIN}?next={there}", HTTPStatus.SEE_OTHER)

    def _judge_form(self, scope: Scope, headers: Headers, body: bytes, visitor: Visitor) -> Response | None:
        fields = forms.fields_of(headers, body)
        if fields is None or scope["method"] != "POST" or forms.is_foreign(headers):
            return self._refuse_form(scope, headers)
        if scope["path"] not in {LOGIN, LOGOUT}:
            if not self._settings.actions:
                return self._refuse(scope, HTTPStatus.FORBIDDEN, "read_only", _READ_ONLY)
            if not visitor.may_act:
                self._metrics.refused.labels("no_session").inc()
                return session_ended(scope["path"], fields, visitor)
        if visitor.proof != "bearer" and not forms.is_ours(fields, visitor):
            return self._refuse(scope, HTTPStatus.FORBIDDEN, "csrf", _STALE)
        return None

    def _refuse_form(self, scope: Scope, headers: Headers) -> Response:
        if scope["method"] != "POST":
            return self._refuse(scope, HTTPStatus.METHOD_NOT_ALLOWED, "method", "Pages know GET and POST.")
        if forms.is_foreign(headers):
            return self._refuse(scope, HTTPStatus.FORBIDDEN, "csrf", "Another site's page sent this form.")
        return self._refuse(scope, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "form", "This is not a form.")

    def _refuse(self, scope: Scope, status: int, reason: str, sentence: str) -> Response:
        self._metrics.refused.labels(reason).inc()
        headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
        return refusal(scope, status, sentence, headers)

    def _with_visit(self, scope: Scope, send: Send) -> Send:
        """Give a visitor without a cookie one with the first page."""
        visitor: Visitor | None = scope.get("state", {}).get("visitor")
        if (
            not (visitor and visitor.new_visit)
            or belongs_to_api(scope["path"])
            or scope["path"].startswith("/static/")
        ):
            return send

        cookie = visit_cookie(visitor).encode()

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"set-cookie", cookie)]
            await send(message)

        return with_cookie


_NEEDS_TOKEN = "This needs a token: send it as Authorization: Bearer TOKEN, or log in."  # noqa: S105  no token
_READ_ONLY = "This console only shows: console.actions is off in its settings."
_STALE = "This form is not from a page that you have open now.  Go back, reload the page, and try again."


class _TooManyError(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


def too_many(scope: Scope, seconds: float, metrics: ConsoleMetrics) -> Response:
    """The refusal of a peer that sent too many wrong tokens."""
    metrics.refused.labels("too_many").inc()
    headers = {"Retry-After": str(max(1, round(seconds)))}
    return refusal(
        scope, HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong tokens came from your address.", headers
    )
