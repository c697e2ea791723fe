"""Runs the console from start to exit: start, serve, stop, exit code."""

import asyncio
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NoReturn

import structlog

from orca_daemon import __version__
from orca_daemon.aws.clients import connect
from orca_daemon.aws.secret_reader import SecretReader
from orca_daemon.console.acting.runs import Runs
from orca_daemon.console.app import create_app
from orca_daemon.console.context import ConsoleContext
from orca_daemon.console.metrics import ConsoleMetrics
from orca_daemon.console.reader import Reader
from orca_daemon.console.security import Guard
from orca_daemon.console.security.tokens import SHORT, Tokens, read_tokens
from orca_daemon.console.server import serving
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import NotYet
from orca_daemon.ops import logs
from orca_daemon.ops.exits import Exit, StartConfigurationError
from orca_daemon.ops.signals import handled, unless_stopped
from orca_daemon.ops.systemd import Notifier
from orca_daemon.settings import Settings, SettingsError

_log: Any = structlog.get_logger()
_RETRY_SECONDS = 5.0
_NAME = "orca-daemon console"
"""What `pg_stat_activity` shows."""
_WRITING = 2
"""Connections for actions."""


def main(settings: Settings) -> NoReturn:
    """Run the console in this process until it ends."""
    logs.configure_unblocked(settings.log.level, settings.log.format)
    # A core file would contain tokens and passwords.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    code = asyncio.run(_serve_and_exit(settings))
    logs.flush()
    sys.exit(code)


async def _serve_and_exit(settings: Settings) -> Exit:
    code = await serve(settings)
    if code is not Exit.CLEAN:
        # Exit here: the interpreter would wait for threads, which may be stuck.
        logs.flush()
        os._exit(code)
    return code


async def serve(settings: Settings) -> Exit:
    """Start, serve until a signal, stop; returns the exit code."""
    stopping = asyncio.Event()
    with handled(stopping.set, {}):
        try:
            return await _run(settings, stopping)
        except StartConfigurationError as error:
            _log.error("start.refused", reason=str(error))
            return Exit.CONFIGURATION
        except Exception:  # noqa: BLE001  after any failure the supervisor starts a clean process
            _log.critical("task.died", exc_info=True)
            return Exit.TASK_DIED


async def _run(settings: Settings, stopping: asyncio.Event) -> Exit:
    began = time.monotonic()
    _log.info("console.start", version=__version__, pid=os.getpid())
    async with AsyncExitStack() as stack:
        context = stack.enter_async_context(_context(settings))
        console = await unless_stopped(stopping, context)
        if console is None:
            _log.info("console.stopped", reason="a signal asked for it before the start was complete")
            return Exit.CLEAN
        listen = settings.console.address
        try:
            url, serving_task = await stack.enter_async_context(serving(create_app(console), *listen))
        except OSError as error:
            raise StartConfigurationError(
                f"cannot listen on {settings.console.listen} ({error.strerror}): set console.listen "
                "(ORCA_CONSOLE__LISTEN), with port 0 for any free port"
            ) from error
        _log.info("console.listening", url=url)
        _log.info("console.ready", seconds=round(time.monotonic() - began, 3))
        Notifier().ready()
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({serving_task, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.is_set():
            stop.cancel()
            await serving_task
            raise RuntimeError("the server ended without a signal")
    _log.info("console.stopped")
    return Exit.CLEAN


@asynccontextmanager
async def _context(settings: Settings) -> AsyncIterator[ConsoleContext]:
    if not settings.database.configured:
        raise StartConfigurationError(
            "no database is configured: set database.url (ORCA_DATABASE__URL) or database.secret_arn "
            "(ORCA_DATABASE__SECRET_ARN), or ORCA's DATABASE_URL or DB_CONNECT_INFO_SECRET_ARN"
        )
    async with AsyncExitStack() as stack:
        try:
            clients = await stack.enter_async_context(connect(settings))
        except SettingsError as error:
            raise StartConfigurationError(str(error)) from error
        secrets = SecretReader(clients)
        tokens = Tokens(await _tokens(settings, secrets))
        named = "application_name" in settings.database.model_fields_set
        own = settings.database.model_copy(update={} if named else {"application_name": _NAME})
        reader = Reader(own, settings.console, secrets)
        stack.callback(reader.close)
        writing = own.model_copy(update={"pool_size": _WRITING})
        database = Database(writing, secrets)
        stack.callback(database.close)
        runs = Runs()
        stack.push_async_callback(runs.stop)
        yield ConsoleContext(
            settings=settings,
            clients=clients,
            reader=reader,
            database=database,
            guard=Guard.of(settings.console, tokens),
            runs=runs,
            metrics=ConsoleMetrics(),
        )


async def _tokens(settings: Settings, secrets: SecretReader) -> Mapping[str, str]:
    """The tokens; waits while AWS does not answer.  Raises StartConfigurationError."""
    while True:
        try:
            tokens = await read_tokens(settings.console, secrets)
        except NotYet as error:
            _log.warning("start.waiting", what="the tokens", reason=str(error))
            await asyncio.sleep(_RETRY_SECONDS)
            continue
        for name in (name for name, token in tokens.items() if len(token) < SHORT):
            _log.warning("token.short", who=name, advice=f"use {SHORT} random characters or more")
        return tokens
