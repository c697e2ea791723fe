"""The life of the process: start, run, drain, stop; and the exit code that it ends with."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any, NoReturn, TypeVar

import structlog

from orca_daemon import __version__
from orca_daemon.app import dump
from orca_daemon.app.exits import Exit, StartConfigurationError
from orca_daemon.app.gc_tuning import tune_gc
from orca_daemon.app.process import Process
from orca_daemon.app.signals import handled
from orca_daemon.engine.engine import Drained
from orca_daemon.engine.errors import RouteError, StuckError
from orca_daemon.ops import logs
from orca_daemon.ops.systemd import Notifier
from orca_daemon.settings import Settings, SettingsError

T = TypeVar("T")
_log: Any = structlog.get_logger()


def main(settings: Settings, reload: Callable[[], Settings]) -> NoReturn:
    """Run the daemon in this process until it ends; `reload` reads the settings again."""
    logs.configure_unblocked(settings.log.level, settings.log.format)
    _leave_no_core()
    code = asyncio.run(_ended(settings, reload))
    logs.flush()
    sys.exit(code)


def _leave_no_core() -> None:
    # A core file would hold passwords, tokens and the bodies of messages.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


async def _ended(settings: Settings, reload: Callable[[], Settings]) -> Exit:
    code = await serve(settings, reload)
    if code is not Exit.CLEAN:
        # From within the loop, which waits for its tasks, as the interpreter does for its threads: those
        # that cannot be stopped must not keep the process from ending.
        logs.flush()
        os._exit(code)
    return code


async def serve(settings: Settings, reload: Callable[[], Settings]) -> Exit:
    """Start, run until a signal, drain, stop."""
    stopping = asyncio.Event()
    process = Process(settings)
    others = {
        signal.SIGHUP: lambda: _reload(process, reload),
        signal.SIGUSR1: lambda: dump.dump(process.state()),
        signal.SIGUSR2: process.toggle_pause,
    }
    with handled(stopping.set, others):
        try:
            async with AsyncExitStack() as stack:
                return await _live(process, stack, stopping)
        except (StartConfigurationError, RouteError) as error:
            _log.error("start.refused", reason=str(error))
            return Exit.CONFIGURATION
        except StuckError as error:
            _log.critical("work.stuck", reason=str(error))
            dump.dump(process.state())
            return Exit.TASK_DIED
        except Exception:  # noqa: BLE001  whatever it is, the supervisor starts a clean process
            _log.critical("task.died", exc_info=True)
            return Exit.TASK_DIED


async def _live(process: Process, stack: AsyncExitStack, stopping: asyncio.Event) -> Exit:
    _log.info("start", version=__version__, pid=os.getpid(), queues=sorted(process.settings.bound))
    for each in process.settings.corrections:
        _log.warning("start.setting_corrected", **asdict(each))
    if await _unless(stopping, process.start(stack)) is None:
        _log.info("stopped", reason="asked to, before the start was complete")
        return Exit.CLEAN
    tune_gc()
    process.notifier.ready()
    watch = asyncio.create_task(_stop_engine(process, stopping))
    try:
        drained: Drained = await process.run()
    finally:
        watch.cancel()
    _log.info("stopped", seconds=round(drained.seconds, 3), unfinished=drained.unfinished)
    return Exit.DRAIN_RAN_OUT if drained.unfinished else Exit.CLEAN


async def _stop_engine(process: Process, stopping: asyncio.Event) -> None:
    await stopping.wait()
    process.stop()


async def _unless(stopping: asyncio.Event, work: Awaitable[T]) -> T | None:
    """The result of `work`, or None if a stop is requested first."""
    doing = asyncio.ensure_future(work)
    stop_requested = asyncio.ensure_future(stopping.wait())
    either: set[asyncio.Future[Any]] = {doing, stop_requested}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    stop_requested.cancel()
    if doing.done():
        return doing.result()
    doing.cancel()
    await asyncio.wait({doing})
    return None


def _reload(process: Process, reload: Callable[[], Settings]) -> None:
    """Take over what can change while running: the log level."""
    # Before the start is complete, READY would tell systemd that it is.
    notifier = process.notifier if process.state().started else Notifier({})
    notifier.reloading()
    try:
        level = reload().log.level
    except SettingsError as error:
        _log.error("reload.refused", mistakes=error.mistakes)
    else:
        logs.set_level(level)
        _log.info("reloaded", log_level=level)
    notifier.ready()
