"""Values on their way between JSON and Postgres."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
EARLIEST = -210_866_803_200_000
"""4714 BC, in milliseconds: where timestamptz begins (PostgreSQL: date/time types).

It ends in 294276, after every number that a request may have.
"""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_SPECIAL = re.compile(r'(["\\])')


def storable(text: str) -> bool:
    """Whether Postgres can hold this text; if not, it is the id of nothing."""
    return not _UNSTORABLE.search(text)


def array(texts: Iterable[str] | None) -> str | None:
    """The storable ones of these texts as a literal of text[]; None stays None.

    One literal, because a million elements as an expression cost the server's planner gigabytes.
    """
    if texts is None:
        return None
    quoted = (_SPECIAL.sub(r"\\\1", text) for text in texts if storable(text))
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def within_postgres(milliseconds: int) -> int:
    """The nearest time that Postgres can compare with: no granule was created between the two."""
    return max(milliseconds, EARLIEST)


def milliseconds(time: datetime) -> int:
    """Milliseconds since 1970, cut off as `date_trunc` does."""
    return (time - _EPOCH) // _MILLISECOND


def encoded(answer: object) -> bytes:
    """The answer as JSON; times become milliseconds."""
    return json.dumps(answer, default=milliseconds, separators=(",", ":")).encode()


def without_nulls(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """The row, without these keys where they are null: ORCA leaves them out."""
    return {name: value for name, value in row.items() if value is not None or name not in names}
