"""What an action of an operator was about, in words: of the document that is recorded with it."""

import json
import re
from collections.abc import Callable, Mapping

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}")
_SHORT = 8
"""Characters of an id: enough for every command that takes one."""
_WORDS: Mapping[str, Callable[[str], str]] = {
    "queues": str,
    "queue": str,
    "job": "job {}".format,
    "job_id": "job {}".format,
    "granule": "granule {}".format,
    "file": "file {}".format,
    "failed": lambda _: "failed files too",
    "reason_id": "reason {}".format,
    "reason": str,
    "why": str,
    "most": "at most {}".format,
}
"""In the order in which they are said; Postgres sorts the keys of a document by their length."""


def about(document: object) -> str:
    """One line; what was not chosen is left out."""
    if not isinstance(document, Mapping):
        return "" if document is None else _text(document)
    chosen = {name: _text(value) for name, value in document.items() if not _is_nothing(value)}
    said = [words(chosen[name]) for name, words in _WORDS.items() if name in chosen]
    others = [_other(name, document[name], chosen[name]) for name in chosen if name not in _WORDS]
    return ", ".join([*said, *others])


def _other(name: str, value: object, text: str) -> str:
    words = name.replace("_", " ")
    return words if value is True else f"{words} {text}"


def _is_nothing(value: object) -> bool:
    return value is None or value is False or value in ("", [], {})


def _text(value: object) -> str:
    match value:
        case str():
            return value[:_SHORT] if _ID.fullmatch(value) else value
        case list() | tuple():
            return " ".join(map(_text, value))
    return json.dumps(value)
