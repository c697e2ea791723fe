"""Sets up logging to standard output, as JSON or console text, with a level that can change at run time."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from types import TracebackType
from typing import Any, Self, TextIO

import structlog
from structlog.typing import Processor

from orca_daemon.ops.log_lines import Stamp, processors
from orca_daemon.ops.log_writer import LogWriter

FLUSH_SECONDS = 2.0
"""How long the process waits at its end for a log reader that does not read."""
_STDOUT = 1
_writer: LogWriter | None = None


def configure(level: str = "info", form: str = "json", stream: TextIO | None = None) -> None:
    """Log to `stream` synchronously, for commands: their lines and prints keep their order.

    `form` is `json` or `console`.  The default stream is standard output.
    """
    stream = stream or sys.stdout
    if isinstance(stream, TextIOWrapper):
        # Some locales cannot encode the characters in ids.
        stream.reconfigure(errors="backslashreplace")
    _configure(level, form, processors(form, color=stream.isatty()), _to(stream))


def configure_unblocked(level: str, form: str) -> None:
    """Log to standard output in a separate thread, for the daemon; call it once in a process.

    Logging never waits for the reader: see `log_writer`.  What Python itself prints on standard error
    (uncaught errors, warnings) is logged instead, because a print to a full pipe would block.
    """
    global _writer  # noqa: PLW0603  a process has one standard output
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    chain = processors(form, color=os.isatty(_STDOUT))

    def encoded(line: str) -> bytes:
        return f"{line}\n".encode(encoding, "backslashreplace")

    writer = _writer = LogWriter(_STDOUT, lambda count: encoded(_notice(chain, count)))
    _configure(level, form, chain, lambda line: writer.put(encoded(line)))
    _catch_all()


def set_level(level: str) -> None:
    """Change the log level from now on."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
    if (set_up := sink()) is not None:
        set_up.least = _number(level)


def process_first(processor: Processor) -> None:
    """Add a processor before the others, for every line that structlog renders from now on."""
    structlog.configure(processors=[processor, *structlog.get_config()["processors"]])


def sink() -> "Sink | None":
    """Where lines are written, if `configure` or `configure_unblocked` set up the log."""
    factory = structlog.get_config()["logger_factory"]
    return factory if isinstance(factory, Sink) else None


def flush(limit: float = FLUSH_SECONDS) -> None:
    """Wait at most `limit` seconds until all lines are written."""
    if _writer is not None:
        _writer.flush(limit)


def put_reserved(line: str) -> None:
    """Write a line of metrics among those of `configure_unblocked`; it is dropped last."""
    if _writer is not None:
        _writer.put_reserved(f"{line}\n".encode())


def dropped() -> int:
    """Lines dropped since the start, because the reader stopped or the disk was full."""
    return 0 if _writer is None else _writer.dropped


def _configure(level: str, form: str, chain: list[Processor], write: Callable[[str], None]) -> None:
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=Sink(write, level, Stamp() if form == "json" else None),
        # `set_level` must reach loggers that exist: a cached one would keep its level.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    # Keep libraries at WARNING, because botocore logs signatures and bodies of requests at debug.
    root.setLevel(logging.WARNING)


class Sink:
    """Writes rendered lines; structlog calls a method for each level."""

    def __init__(self, write: Callable[[str], None], level: str, stamp: Stamp | None) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.write = write
        self.stamp = stamp
        """Tells the time of a line that is rendered without structlog; None if lines are not JSON."""
        self.least = _number(level)

    def __call__(self, *_: object) -> Self:
        """As structlog's `logger_factory`: the one for all loggers."""
        return self

    def takes(self, level: str) -> bool:
        """Whether lines of this level are written."""
        return _number(level) >= self.least


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _to(stream: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        with suppress(OSError):  # the disk is full, or the reader has closed the pipe
            stream.write(f"{line}\n")
            stream.flush()

    return write


def _notice(chain: list[Processor], count: int) -> str:
    """The line that reports how many lines were dropped in its place."""
    event: Any = {"lines": count, "event": "log.lines_dropped"}
    for process in chain:
        event = process(None, "warning", event)
    return str(event)


def _catch_all() -> None:
    log = structlog.get_logger()

    def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("process.crashed", exc_info=(kind, error, trace))
        flush()

    def thread_crashed(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
            name = arguments.thread.name if arguments.thread else ""
            log.error("thread.crashed", thread=name, exc_info=arguments.exc_value)

    def unraisable(arguments: "sys.UnraisableHookArgs") -> None:
        log.error("error.unraisable", where=repr(arguments.object), exc_info=arguments.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = crashed, thread_crashed, unraisable
    logging.captureWarnings(capture=True)


class _ToStructlog(logging.Handler):
    """Passes what libraries log through the standard library to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        write: Callable[..., Any] = getattr(log, record.levelname.lower(), log.warning)
        write("library.message", logger=record.name, text=record.getMessage(), exc_info=record.exc_info)
