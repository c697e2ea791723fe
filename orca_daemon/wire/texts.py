"""Texts that the daemon puts into messages: replace what cannot be stored, truncate what does not fit."""

import json
import re

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_QUOTES = 2


def storable(text: str) -> str:
    """The text with U+FFFD in place of NUL (not in Postgres) and lone surrogates (not in UTF-8)."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def truncated(text: str, limit: int) -> str:
    """The text if it has at most `limit` bytes in JSON without quotes, else as much as fits with `…`.

    In ASCII JSON a character takes up to six bytes, and a character beyond U+FFFF twelve.
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
