"""Texts of ours that go into messages: made storable, and cut to the room that is left."""

import json
import re

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_QUOTES = 2


def storable(text: str) -> str:
    """The text with U+FFFD for what Postgres or UTF-8 does not hold: NUL, and lone surrogates."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def cut(text: str, limit: int) -> str:
    """The text, or as much of its beginning as has at most `limit` bytes in JSON, without its quotes, and
    `…`.

    In ASCII JSON a letter takes up to six bytes, and one beyond U+FFFF twelve.
    """
    if _size(text) <= limit:
        return text
    left = limit - _size("…")
    for index, character in enumerate(text):
        left -= _size(character)
        if left < 0:
            return f"{text[:index]}…" if limit >= _size("…") else ""
    return text


def _size(text: str) -> int:
    return len(json.dumps(text)) - _QUOTES
