"""Who may ask for what: the layers around every request, from the outermost to the innermost."""

from fastapi import FastAPI

from orca_daemon.console.context import ConsoleContext
from orca_daemon.console.security.headers import SecurityHeaders


def guard(app: FastAPI, console: ConsoleContext) -> None:  # noqa: ARG001  the layers to come need it
    """Put the layers around the application; the last that is added is the outermost."""
    app.add_middleware(SecurityHeaders)
