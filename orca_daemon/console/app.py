"""The web application: routes, static files, and the layers of defence around them."""

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from orca_daemon import __version__
from orca_daemon.console import orca_api, pages
from orca_daemon.console.context import ConsoleContext
from orca_daemon.console.failures import answer_failures
from orca_daemon.console.security.layers import surround

STATIC = Path(__file__).parent / "static"


def create_app(console: ConsoleContext) -> FastAPI:
    """The application that serves this console."""
    app = FastAPI(
        title="orca-daemon console",
        version=__version__,
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,  # a redirect would repeat the Host header
    )
    app.state.context = console
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for router in pages.routers():
        app.include_router(router)
    if console.settings.console.orca_api != "off":
        app.include_router(orca_api.router, prefix="/orca_api")
        app.include_router(orca_api.router, include_in_schema=False)
    answer_failures(app)
    surround(app, console)
    return app
