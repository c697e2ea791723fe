"""Makes one spelling of each path, before anything judges it: what is checked is what is routed."""

import re
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from orca_daemon.console.security.answers import refusal

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\\ufffd]|(?:^|/)\.\.?(?:/|$)")
"""Control characters, backslashes, what is not UTF-8, and the segments `.` and `..`."""


def clean(path: str) -> str | None:
    """The path without doubled slashes and without one at its end; None if it must be refused."""
    if not path.startswith("/") or _FORBIDDEN.search(path):
        return None
    return re.sub(r"/{2,}", "/", path).rstrip("/") or "/"


class CleanPaths:
    """An ASGI layer.  Cumulus doubles slashes, and ORCA's own tests end paths with one (contract C1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its clean path, or refuse it."""
        if scope["type"] == "http":
            path = clean(scope["path"])
            # No text in Postgres has NUL, so no page takes one.
            if path is None or b"\0" in unquote_to_bytes(scope["query_string"]):
                scope["path"] = path or "/"
                await refusal(scope, 400, "The address has characters that no page has.")(
                    scope, receive, send
                )
                return
            scope["path"] = path
            scope["raw_path"] = path.encode()
        await self._app(scope, receive, send)
