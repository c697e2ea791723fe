"""ORCA time: the one grammar in which the messages of ORCA write a moment."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

_MICROSECONDS = 6
_GRAMMAR = re.compile(r"(-?\d{4,})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?Z?\+00:00", re.ASCII)


def parse(text: str) -> datetime:
    """The moment, in UTC; Postgres keeps microseconds, so a longer fraction is rounded to them.

    As in Postgres, `24:00:00` and a second of 60 are the start of what follows.
    A plain `Z` and every offset but a literal `+00:00` are refused, `Z+00:00` is not (ORCA's own schema).

    Raises:
        ValueError: the text is no such time, or its year is not one of 1 to 9999.
    """
    found = _GRAMMAR.fullmatch(text)
    if found is None:
        raise ValueError("is not a time of the form YYYY-MM-DDTHH:MM:SS[.ffffff]+00:00")
    if len(found[7] or "") <= _MICROSECONDS:
        # As all producers write it.  Three times as fast, and every message has one or two.
        with suppress(ValueError):
            return datetime.fromisoformat(text)
    return _parse(found)


def _parse(found: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction = round(float(f"0.{found[7] or 0}") * 1_000_000)
    since_midnight = timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)
    if minute >= 60 or second > 60 or since_midnight > timedelta(days=1):  # noqa: PLR2004  a clock
        raise ValueError("is a time that no clock shows")
    try:
        return datetime(year, month, day, tzinfo=UTC) + since_midnight
    except (ValueError, OverflowError):
        raise ValueError("is a day that no calendar has") from None


def show(moment: datetime) -> str:
    """The moment as ORCA's producers write it: six digits of fraction, or none at a whole second."""
    return moment.astimezone(UTC).isoformat()


def _validate(value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if not isinstance(value, str):
        raise PydanticCustomError("orca_time", "is not a string that holds a time")
    try:
        return parse(value)
    except ValueError as error:
        raise PydanticCustomError("orca_time", str(error)) from None


OrcaTime = Annotated[datetime, PlainValidator(_validate), PlainSerializer(show)]
"""A moment with its zone; read from ORCA time, written as ORCA time."""
