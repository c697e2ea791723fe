"""What a line of the log looks like: its time, its form, and nothing that looks like a secret."""

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
# A backslash ends a signature, too: in JSON it may be half of an escaped quotation mark.
_SIGNED = re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"'\\]+", re.IGNORECASE)


def processors(form: str, *, color: bool) -> list[Processor]:
    """What structlog makes a line with; `form` is `json` or `console`."""
    render: Processor = _json
    if form == "console":
        render = _Console(structlog.dev.ConsoleRenderer(colors=color, pad_event_to=24))
    return [
        structlog.processors.add_log_level,
        _Stamp(),
        structlog.processors.format_exc_info,
        _hide_secrets,
        _Robust(render),
    ]


def without_secrets(text: str) -> str:
    """The text without passwords of URLs and without signatures."""
    return _SIGNED.sub(rf"\1{HIDDEN}", _IN_URL.sub(rf"\1{HIDDEN}@", text))


class _Stamp:
    """Adds the time in UTC, in microseconds; the text of a second is made once."""

    def __init__(self) -> None:
        self._known = (0, "")

    def __call__(self, _: Any, __: str, event: EventDict) -> EventDict:
        second, rest = divmod(time.time_ns(), 1_000_000_000)
        known, text = self._known
        if known != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            # One assignment: lines are made by several threads.
            self._known = (second, text)
        event["timestamp"] = f"{text}.{rest // 1000:06d}Z"
        return event


def _hide_secrets(_: Any, __: str, event: EventDict) -> EventDict:
    """Take out what looks like a secret; nobody should log one, and this is for the day somebody does."""
    for key in event:
        if _names_a_secret(key):
            event[key] = HIDDEN
    return event


@lru_cache(1024)
def _names_a_secret(key: str) -> bool:
    return SECRET_KEY.search(key) is not None


class _Robust:
    """Renders a line; what cannot be rendered costs its facts, never the work that logs it."""

    def __init__(self, render: Processor) -> None:
        self._render = render

    def __call__(self, logger: Any, level: str, event: EventDict) -> str:
        try:
            line = str(self._render(logger, level, event))
        except Exception as error:  # noqa: BLE001  a value may raise anything when it is written down
            named = {name: str(event.get(name)) for name in ("event", "level", "timestamp")}
            line = json.dumps({**named, "unprintable": type(error).__name__})
        # Looked for in the whole line, so that values within values are covered.
        return without_secrets(line) if "://" in line or "X-Amz-" in line else line


def _json_of(value: object) -> object:
    """What JSON has no form for."""
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else repr(value)


_encode = json.JSONEncoder(ensure_ascii=False, default=_json_of).encode


def _json(_: Any, __: str, event: EventDict) -> str:
    return _encode(event)


class _Console:
    """structlog's lines for eyes; it takes `stack` and `exception` for texts of its own."""

    def __init__(self, render: structlog.dev.ConsoleRenderer) -> None:
        self._render = render

    def __call__(self, logger: Any, level: str, event: EventDict) -> str:
        shown = dict(event)  # the renderer takes it apart
        for name in ("stack", "exception"):
            if name in shown and not isinstance(shown[name], str):
                shown[name] = _lines(shown[name])
        return str(self._render(logger, level, shown))


def _lines(value: object) -> str:
    if isinstance(value, Sequence):
        return "\n".join(map(str, value))
    return str(value)
