"""Puts the layers around the application, in their order."""

from fastapi import FastAPI

from orca_daemon.console.context import ConsoleContext
from orca_daemon.console.security.access import Access
from orca_daemon.console.security.headers import SecurityHeaders
from orca_daemon.console.security.hosts import Hosts
from orca_daemon.console.security.limits import Limits
from orca_daemon.console.security.paths import CleanPaths
from orca_daemon.console.security.requests import Requests


def surround(app: FastAPI, console: ConsoleContext) -> None:
    """Put the layers around the application; the last that is added is the outermost."""
    settings, metrics, guard = console.settings.console, console.metrics, console.guard
    app.add_middleware(
        Access, settings=settings, visitors=guard.visitors, throttle=guard.throttle, metrics=metrics
    )
    app.add_middleware(Limits)
    app.add_middleware(Hosts, allowed=settings.allowed_hosts, metrics=metrics)
    app.add_middleware(CleanPaths)
    app.add_middleware(Requests, metrics=metrics)
    app.add_middleware(SecurityHeaders)
