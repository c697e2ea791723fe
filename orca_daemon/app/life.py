"""Runs the process from start to exit: start, run, drain, stop, exit code."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, NoReturn

import structlog

from orca_daemon import __version__
from orca_daemon.app import dump
from orca_daemon.app.process import Process
from orca_daemon.engine.engine import Drained
from orca_daemon.engine.errors import RouteError, StuckError
from orca_daemon.ops import logs
from orca_daemon.ops.exits import Exit, StartConfigurationError
from orca_daemon.ops.gc_tuning import tune_gc
from orca_daemon.ops.signals import handled, unless_stopped
from orca_daemon.ops.systemd import Notifier
from orca_daemon.settings import Settings, SettingsError

_log: Any = structlog.get_logger()


def main(settings: Settings, reload: Callable[[], Settings]) -> NoReturn:
    """Run the daemon in this process until it ends; `reload` reads the settings again."""
    logs.configure_unblocked(settings.log.level, settings.log.format)
    _disable_core_files()
    code = asyncio.run(_serve_and_exit(settings, reload))
    logs.flush()
    sys.exit(code)


def _disable_core_files() -> None:
    # A core file would contain passwords, tokens and bodies of messages.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


async def _serve_and_exit(settings: Settings, reload: Callable[[], Settings]) -> Exit:
    code = await serve(settings, reload)
    if code is not Exit.CLEAN:
        # Exit here, inside the loop: `asyncio.run` would wait for its tasks and the interpreter for its
        # threads, and those that cannot be cancelled would keep the process alive.
        logs.flush()
        os._exit(code)
    return code


async def serve(settings: Settings, reload: Callable[[], Settings]) -> Exit:
    """Start, run until a signal, drain, stop; returns the exit code."""
    stopping = asyncio.Event()
    process = Process(settings)
    actions = {
        signal.SIGHUP: lambda: _reload(process, reload),
        signal.SIGUSR1: lambda: dump.dump(process.state()),
        signal.SIGUSR2: process.toggle_pause,
    }
    with handled(stopping.set, actions):
        try:
            async with AsyncExitStack() as stack:
                return await _run(process, stack, stopping)
        except (StartConfigurationError, RouteError) as error:
            _log.error("start.refused", reason=str(error))
            return Exit.CONFIGURATION
        except StuckError as error:
            _log.critical("work.stuck", reason=str(error))
            dump.dump(process.state())
            return Exit.TASK_DIED
        except Exception:  # noqa: BLE001  after any failure the supervisor starts a clean process
            _log.critical("task.died", exc_info=True)
            return Exit.TASK_DIED


async def _run(process: Process, stack: AsyncExitStack, stopping: asyncio.Event) -> Exit:
    _log.info("start", version=__version__, pid=os.getpid(), queues=sorted(process.settings.bound))
    if await unless_stopped(stopping, process.start(stack)) is None:
        _log.info("stopped", reason="a signal asked for it before the start was complete")
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


def _reload(process: Process, reload: Callable[[], Settings]) -> None:
    """Apply the settings that can change at run time, and name those that changed and need a restart."""
    # Send systemd nothing during the start, because READY would mean that the start is complete.
    notifier = process.notifier if process.state().started else Notifier({})
    notifier.reloading()
    try:
        changes = process.apply(reload())
    except SettingsError as error:
        _log.error("reload.refused", mistakes=error.mistakes)
    else:
        write = _log.warning if changes.need_restart else _log.info
        write(
            "reloaded",
            log_level=process.settings.log.level,
            applied=changes.applied,
            need_restart=changes.need_restart,
        )
    notifier.ready()
