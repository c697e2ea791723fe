"""`orca-daemon console`: the web pages for operators, and ORCA's read API."""

from typing import Annotated

import typer

from orca_daemon.cli.exits import WRONG_SETTINGS, fail, settings_or_exit
from orca_daemon.cli.options import Config
from orca_daemon.ops.gc_tuning import gc_disabled

_EXTRA = frozenset({"fastapi", "jinja2", "uvicorn", "python_multipart", "starlette"})
"""What the extra `console` brings."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("console")(console)


def console(
    config: Config = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS:PORT",
            help="Where to listen; default: the setting, 127.0.0.1:9465; port 0 takes a free one.",
        ),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning, error; default: the setting, info.")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(help="json or console; default: the setting, json.")
    ] = None,
) -> None:
    """Serve pages for operators, and ORCA's read API.

    It ends with SIGTERM or Ctrl-C.  Pages only show unless console.actions is true and the visitor has a
    token.  Any address but loopback needs tokens, or a proxy that knows its users.

    Exit codes: 0 stopped cleanly; 1 a bug; 2 usage; 70 the server died, start again; 78 settings are wrong.

    \b
    orca-daemon console --config config/orca-daemon.toml
    orca-daemon console --listen 127.0.0.1:8080 --log-format console
    """
    flags = {"console.listen": listen, "log.level": log_level, "log.format": log_format}
    settings = settings_or_exit(config, flags)
    try:
        with gc_disabled():
            from orca_daemon.console.life import main
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        fail(
            f"the console needs {error.name}: install the extra, pip install 'orca-daemon[console]'",
            WRONG_SETTINGS,
        )
    main(settings)
