"""Formats a log line: adds the time, hides what looks like a secret, renders JSON or text for a console."""

import json
import re
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

SECRET_KEY = re.compile(r"passw|secret|token|credential|authorization|signature", re.IGNORECASE)
HIDDEN = "[redacted]"
_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
# A backslash ends a signature too, because in JSON it may begin an escaped quotation mark.
_SIGNED = re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"'\\]+", re.IGNORECASE)


def processors(form: str, *, color: bool) -> list[Processor]:
    """The processors of structlog for `form`: `json` or `console`."""
    render: Processor = _json
    if form == "console":
        render = _Console(structlog.dev.ConsoleRenderer(colors=color, pad_event_to=24))
    return [
        structlog.processors.add_log_level,
        Stamp(),
        structlog.processors.format_exc_info,
        _hide_secrets,
        _Fallback(render),
    ]


def without_secrets(text: str) -> str:
    """The text with passwords in URLs and AWS signatures replaced."""
    if "://" not in text and "X-Amz-" not in text:
        return text
    return _SIGNED.sub(rf"\1{HIDDEN}", _IN_URL.sub(rf"\1{HIDDEN}@", text))


class Stamp:
    """Tells the time in UTC with microseconds; formats each second once and reuses the text."""

    def __init__(self) -> None:
        self._known = (0, "")

    def __call__(self, _: Any, __: str, event: EventDict) -> EventDict:
        """Add the time, as a processor of structlog."""
        event["timestamp"] = self.now()
        return event

    def now(self) -> str:
        """The time of a line that is written now."""
        second, rest = divmod(time.time_ns(), 1_000_000_000)
        known, text = self._known
        if known != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            # One assignment, because several threads format lines.
            self._known = (second, text)
        return f"{text}.{rest // 1000:06d}Z"


def _hide_secrets(_: Any, __: str, event: EventDict) -> EventDict:
    """Replace the values of keys that look like secrets: a safety net, as no code should log one."""
    for key in event:
        if names_a_secret(key):
            event[key] = HIDDEN
    return event


@lru_cache(1024)
def names_a_secret(key: str) -> bool:
    """Whether the name of a field says that its value is a secret."""
    return SECRET_KEY.search(key) is not None


class _Fallback:
    """Renders a line; if that fails, logs the event without its facts and raises nothing."""

    def __init__(self, render: Processor) -> None:
        self._render = render

    def __call__(self, logger: Any, level: str, event: EventDict) -> str:
        try:
            line = str(self._render(logger, level, event))
        except Exception as error:  # noqa: BLE001  the `repr` of a value may raise anything
            named = {name: str(event.get(name)) for name in ("event", "level", "timestamp")}
            line = json.dumps({**named, "unprintable": type(error).__name__})
        # Search the whole line, so that nested values are covered.
        return without_secrets(line)


def _json_of(value: object) -> object:
    """A replacement for a value that JSON cannot represent."""
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else repr(value)


_encode = json.JSONEncoder(ensure_ascii=False, default=_json_of).encode


def _json(_: Any, __: str, event: EventDict) -> str:
    return _encode(event)


class _Console:
    """structlog's console lines; its renderer expects `stack` and `exception` to be text."""

    def __init__(self, render: structlog.dev.ConsoleRenderer) -> None:
        self._render = render

    def __call__(self, logger: Any, level: str, event: EventDict) -> str:
        fields = dict(event)  # a copy, because the renderer removes entries
        for name in ("stack", "exception"):
            if name in fields and not isinstance(fields[name], str):
                fields[name] = _lines(fields[name])
        return str(self._render(logger, level, fields))


def _lines(value: object) -> str:
    if isinstance(value, Sequence):
        return "\n".join(map(str, value))
    return str(value)
