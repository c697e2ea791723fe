"""Handles signals while the process runs.

TERM and INT start the drain; a second one ends the process at once, as the signal's default action would.
HUP reads the settings again, USR1 logs the state and all stacks, USR2 pauses and resumes the intake.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from orca_daemon.ops import logs
from orca_daemon.ops.bootstrap import ENDING, end_by, ends_the_process, unblock

T = TypeVar("T")
FLUSH_SECONDS = 0.5
"""How long process 1 waits for the log to be written after a second signal (see `bootstrap`)."""


@contextmanager
def handled(stop: Callable[[], None], actions: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Handle TERM and INT by `stop`, others by `actions`, on the running loop while the context is open."""
    loop = asyncio.get_running_loop()

    def stopping() -> None:
        # A second signal ends the process by that signal, so that the supervisor sees the true cause.
        for name in ENDING:
            loop.remove_signal_handler(name)
            signal.signal(name, _at_once if ends_the_process() is end_by else signal.SIG_DFL)
        stop()

    for name in ENDING:
        loop.add_signal_handler(name, stopping)
    for name, action in actions.items():
        loop.add_signal_handler(name, action)
    unblock((*ENDING, *actions))
    try:
        yield
    finally:
        for name in (*ENDING, *actions):
            loop.remove_signal_handler(name)


async def unless_stopped(stopping: asyncio.Event, work: Awaitable[T]) -> T | None:
    """The result of `work`, or None if a stop is requested first: then the work is cancelled."""
    task = asyncio.ensure_future(work)
    stop_requested = asyncio.ensure_future(stopping.wait())
    either: set[asyncio.Future[Any]] = {task, stop_requested}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    stop_requested.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait({task})
    return None


def _at_once(number: int, frame: object) -> None:
    logs.flush(FLUSH_SECONDS)
    end_by(number, frame)
