"""Refuses requests for other hosts: a site whose name points to our address could read pages (rebinding)."""

import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from orca_daemon.console.metrics import ConsoleMetrics
from orca_daemon.console.security.answers import refusal

PROBES = frozenset({"/livez", "/healthz", "/readyz", "/metrics"})
"""Paths for supervisors and Prometheus, which name the process as they like; they hold no data of ORCA."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?", re.IGNORECASE)


def is_allowed(host: str, allowed: Iterable[str], own: str | None) -> bool:
    """Whether a request may name this host: one of the settings, loopback, or the address that it reached.

    A browser that names an address has no name that could point elsewhere.
    """
    match = _HOST.fullmatch(host)
    if not match:
        return False
    name = (match[1] or match[2]).lower().rstrip(".")
    return name in _LOOPBACK or name == own or name in {each.lower() for each in allowed}


class Hosts:
    """An ASGI layer; `X-Forwarded-Host` is never read."""

    def __init__(self, app: ASGIApp, allowed: Iterable[str], metrics: ConsoleMetrics) -> None:
        self._app, self._allowed, self._metrics = app, frozenset(allowed), metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and scope["path"] not in PROBES:
            host = Headers(scope=scope).get("host", "")
            own = scope["server"][0] if scope.get("server") else None
            if not is_allowed(host, self._allowed, own):
                self._metrics.refused.labels("host").inc()
                sentence = "The console does not answer to this name; console.allowed_hosts lists its names."
                await refusal(scope, 421, sentence)(scope, receive, send)
                return
        await self._app(scope, receive, send)
