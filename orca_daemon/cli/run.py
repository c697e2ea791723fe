"""`orca-daemon run`: consume the queues until a signal stops the daemon."""

import json
from typing import Annotated, Any

import typer

from orca_daemon.cli.exits import settings_or_exit
from orca_daemon.cli.options import Config
from orca_daemon.ops.bootstrap import hidden
from orca_daemon.ops.gc_tuning import gc_disabled
from orca_daemon.settings import Settings, load


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    config: Config = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address for metrics and health; default: the setting, 127.0.0.1."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port for metrics and health; default: the setting, 9464; 0 takes a free one."),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning, error; default: the setting, info.")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(help="json or console; default: the setting, json.")
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Show the effective settings, passwords hidden, and exit.")
    ] = False,
) -> None:
    """Consume the queues until SIGTERM or Ctrl-C.

    Settings come from the file, then the environment (ORCA_<SECTION>__<KEY>, and ORCA's own names), then
    flags.  A queue without a URL is off.

    Exit codes: 0 stopped cleanly; 1 a bug; 2 usage; 70 a task of the engine died, start again; 75 the time
    for the drain ran out; 78 settings or permissions are wrong.

    \b
    orca-daemon run --config config/orca-daemon.toml --print-config
    STATUS_UPDATE_QUEUE_URL=https://… DATABASE_URL=postgresql://… orca-daemon run --log-format console
    """
    flags = {"http.host": host, "http.port": port, "log.level": log_level, "log.format": log_format}
    settings = settings_or_exit(config, flags, need_queue=not print_config)
    if print_config:
        typer.echo(json.dumps(_document(settings), indent=2, ensure_ascii=False))
        return
    with gc_disabled(), hidden("rich"):  # structlog would import it for consoles: 5 MB
        from orca_daemon.app import main

    main(settings, reload=lambda: load(config, flags=flags))


def _document(settings: Settings) -> dict[str, Any]:
    """The settings as JSON: passwords are hidden, and of URLs with passwords only these."""
    from orca_daemon.db.address import is_reference
    from orca_daemon.db.shown_url import shown_url

    document = settings.model_dump(mode="json")
    for section, key in (("database", "url"), ("export", "source_url")):
        secret = getattr(getattr(settings, section), key)
        if secret is not None:
            url = secret.get_secret_value()
            document[section][key] = url if is_reference(url) else shown_url(url)
    return document
