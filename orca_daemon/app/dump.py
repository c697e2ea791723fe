"""The state of the process for an operator: what the engine holds, and where every thread and task stands."""

import asyncio
import sys
import threading
import traceback
from dataclasses import asdict
from typing import Any

import structlog

from orca_daemon.engine.state import EngineState

_log: Any = structlog.get_logger()


def dump(state: EngineState) -> None:
    """Write it all to the log.  Stacks name places in the code, never values."""
    _log.warning("dump.state", **asdict(state))
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():  # noqa: SLF001  there is no public way to see them
        stack = [_place(entry) for entry in traceback.extract_stack(frame)]
        _log.warning("dump.thread", thread=names.get(ident, str(ident)), stack=stack)
    for task in asyncio.all_tasks():
        stack = [f"{frame.f_code.co_filename}:{frame.f_lineno}" for frame in task.get_stack()]
        _log.warning("dump.task", task=task.get_name(), stack=stack)


def _place(entry: traceback.FrameSummary) -> str:
    return f"{entry.filename}:{entry.lineno} in {entry.name}"
