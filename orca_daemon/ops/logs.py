"""Logs on standard output, as JSON or for eyes, with a level that can be changed while running."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from orca_daemon.ops.log_lines import processors
from orca_daemon.ops.log_writer import LogWriter

FLUSH_SECONDS = 2.0
"""How long the end of the process waits for a reader that stands still."""
_STDOUT = 1
_writer: LogWriter | None = None


def configure(level: str = "info", form: str = "json", stream: TextIO | None = None) -> None:
    """Log to `stream`, each line at once, between whatever else is printed there, as commands need it.

    `form` is `json` or `console`.  The default stream is standard output.
    """
    stream = stream or sys.stdout
    if isinstance(stream, TextIOWrapper):
        # Some locales cannot encode the characters in ids.
        stream.reconfigure(errors="backslashreplace")
    _configure(level, processors(form, color=stream.isatty()), _to(stream))


def configure_unblocked(level: str, form: str) -> None:
    """Log to standard output by a thread of its own, as the daemon needs it; call it once in a process.

    Whoever logs never waits for whoever reads: see `log_writer`.  What Python prints on standard error by
    itself (errors that nobody catches, warnings) is logged, too, because a full pipe stops whoever prints.
    """
    global _writer  # noqa: PLW0603  a process has one standard output
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    made = processors(form, color=os.isatty(_STDOUT))

    def encoded(line: str) -> bytes:
        return f"{line}\n".encode(encoding, "backslashreplace")

    writer = _writer = LogWriter(_STDOUT, lambda count: encoded(_notice(made, count)))
    _configure(level, made, lambda line: writer.put(encoded(line)))
    _catch_all()


def set_level(level: str) -> None:
    """Change the level of everything that is logged from now on."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))


def flush(limit: float = FLUSH_SECONDS) -> None:
    """Wait until what was logged is written, for some seconds at most."""
    if _writer is not None:
        _writer.flush(limit)


def dropped() -> int:
    """Number of lines that were dropped since the start: nobody read them, or the disk was full."""
    return 0 if _writer is None else _writer.dropped


def _configure(level: str, made: list[Processor], write: Callable[[str], None]) -> None:
    sink = _Sink(write)
    structlog.configure(
        processors=made,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: sink,
        # A cached logger would keep its level for ever.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    # Never below: at debug, botocore logs requests with their signatures and bodies.
    root.setLevel(logging.WARNING)


class _Sink:
    """Takes rendered lines; structlog wants a method for each level."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = write


def _to(stream: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        with suppress(OSError):  # the disk is full, or the reader is gone
            stream.write(f"{line}\n")
            stream.flush()

    return write


def _notice(made: list[Processor], count: int) -> str:
    """The line that stands for those that were dropped."""
    event: Any = {"lines": count, "event": "log.lines_dropped"}
    for process in made:
        event = process(None, "warning", event)
    return str(event)


def _catch_all() -> None:
    log = structlog.get_logger()

    def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("process.crashed", exc_info=(kind, error, trace))
        flush()

    def of_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None and not isinstance(found.exc_value, SystemExit):
            name = found.thread.name if found.thread else ""
            log.error("thread.crashed", thread=name, exc_info=found.exc_value)

    def unraisable(found: "sys.UnraisableHookArgs") -> None:
        log.error("error.unraisable", where=repr(found.object), exc_info=found.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = crashed, of_thread, unraisable
    logging.captureWarnings(capture=True)


class _ToStructlog(logging.Handler):
    """What libraries log through the standard library, in our format."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        write: Callable[..., Any] = getattr(log, record.levelname.lower(), log.warning)
        write("library.message", logger=record.name, text=record.getMessage(), exc_info=record.exc_info)
