"""Logs on standard output, as JSON or for eyes, with a level that can be changed while running."""

import json
import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import partial
from io import TextIOWrapper
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

SECRET_KEY = re.compile(r"passw|secret|token|credential|authorization|signature", re.IGNORECASE)
_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_SIGNED = re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+", re.IGNORECASE)


def configure(level: str = "info", form: str = "json", stream: TextIO | None = None) -> None:
    """Set up logging for the process; `form` is `json` or `console`.  Call again to change the level."""
    stream = stream or sys.stdout
    if isinstance(stream, TextIOWrapper):
        # Not every locale can write what ids are made of.
        stream.reconfigure(errors="backslashreplace")
    structlog.configure(
        processors=_processors(form, color=stream.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Forgiving(stream))),
        # A cached logger would keep its level for ever.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    # Never below: at debug, botocore logs requests with their signatures and bodies.
    root.setLevel(logging.WARNING)


class _Forgiving:
    """A stream that loses lines, not work, when its disk is full or its reader is gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def set_level(level: str) -> None:
    """Change the level of everything that is logged from now on."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))


def _processors(form: str, *, color: bool) -> list[Processor]:
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    if form == "console":
        return [*shared, structlog.dev.ConsoleRenderer(colors=color, pad_event_to=24)]
    return [*shared, structlog.processors.JSONRenderer(partial(json.dumps, ensure_ascii=False))]


def redact(_: Any, __: str, event: EventDict) -> EventDict:
    """Take out what looks like a secret; nobody should log one, and this is for the day somebody does."""
    return _redacted(event)


def _redacted(event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            if SECRET_KEY.search(key):
                event[key] = "[redacted]"
            elif "://" in value or "X-Amz-" in value:
                event[key] = without_secrets(value)
    return event


def without_secrets(text: str) -> str:
    """The text without passwords of URLs and without signatures."""
    return _SIGNED.sub(r"\1[redacted]", _IN_URL.sub(r"\1[redacted]@", text))


class _ToStructlog(logging.Handler):
    """What libraries log through the standard library, in our format."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        write: Callable[..., Any] = getattr(log, record.levelname.lower(), log.warning)
        write("library.message", logger=record.name, text=record.getMessage(), exc_info=record.exc_info)
