"""Where the next page of a list begins: the values of the last row, as text that fits an address."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

NO_PAGE = "The address names no page of this list; this is its first page."


class CursorError(Exception):
    """The text is not a cursor of this list."""


def write(*values: str | float | datetime) -> str:
    """The cursor behind a row with these values."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def read(text: str, *kinds: type) -> Sequence[Any]:
    """The values of a cursor, one of each kind (`str`, `int`, `float`, `datetime`).

    Raises:
        CursorError: it is damaged, or of another list.
    """
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return [_as(kind, value) for kind, value in zip(kinds, values, strict=True)]
    except (ValueError, RecursionError, TypeError) as error:
        raise CursorError(NO_PAGE) from error


def _as(kind: type, value: object) -> object:
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
        return moment
    if type(value) is not kind or (kind is str and "\x00" in str(value)):
        raise ValueError(value)
    return value
