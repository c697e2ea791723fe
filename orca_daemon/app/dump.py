"""Logs the state of the process for an operator: the engine's state, and the stacks of threads and tasks."""

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
    """Log the state and all stacks.  Stacks name lines of code, never values."""
    _log.warning("dump.state", **asdict(state))
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():  # noqa: SLF001  there is no public function
        stack = [_line_of(entry) for entry in traceback.extract_stack(frame)]
        _log.warning("dump.thread", thread=names.get(ident, str(ident)), stack=stack)
    for task in asyncio.all_tasks():
        stack = [f"{frame.f_code.co_filename}:{frame.f_lineno}" for frame in task.get_stack()]
        _log.warning("dump.task", task=task.get_name(), stack=stack)


def _line_of(entry: traceback.FrameSummary) -> str:
    return f"{entry.filename}:{entry.lineno} in {entry.name}"
