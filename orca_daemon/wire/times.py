"""ORCA time: the format of times in ORCA's messages."""

import re
from datetime import datetime, timedelta, timezone
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

UTC = timezone.utc
"""`datetime.UTC` of Python 3.11."""
_READ_AS_THEY_ARE = frozenset({0, 3, 6})
"""Digits of a fraction that `fromisoformat` of every Python reads."""
_GRAMMAR = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)"
    r"(?:\.(\d+))?Z?\+00:00",
    re.ASCII,
)


def parse(text: str) -> datetime:
    """Read a time, in UTC.  Fractions are rounded to microseconds, as in Postgres.

    As in ORCA's own JSON Schema, `Z+00:00` is accepted; a plain `Z`, any offset but a literal `+00:00`,
    `24:00:00` and a second of 60 are refused.

    Raises:
        ValueError: the text has another format, the day does not exist, or the year is not in 1 to 9999.
    """
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise ValueError("is not a time of the form YYYY-MM-DDTHH:MM:SS[.ffffff]+00:00")
    second, fraction = match.groups()
    try:
        if len(fraction or "") in _READ_AS_THEY_ARE and text[-7] != "Z":
            # Fast path for the usual formats: every message has one or two times.
            return datetime.fromisoformat(text)
        within_second = timedelta(microseconds=round(float(f"0.{fraction or 0}") * 1_000_000))
        return datetime.fromisoformat(f"{second}+00:00") + within_second
    except (ValueError, OverflowError):
        raise ValueError("is a day that no calendar has") from None


def format_time(time: datetime) -> str:
    """Write a time as ORCA's producers do: with six digits of fraction, or none for a whole second."""
    return time.astimezone(UTC).isoformat()


def _validate(value: object) -> datetime:
    if isinstance(value, str):
        try:
            return parse(value)
        except ValueError as error:
            raise PydanticCustomError("orca_time", str(error)) from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise PydanticCustomError("orca_time", "is not a string that holds a time")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("orca_time", "is a day that no calendar has") from None


OrcaTime = Annotated[datetime, PlainValidator(_validate), PlainSerializer(format_time)]
"""A datetime with a time zone; read from ORCA time, and written as ORCA time."""
