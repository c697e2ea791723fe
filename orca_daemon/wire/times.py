"""ORCA time: the one grammar in which the messages of ORCA write a moment."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

_MICROSECONDS = 6
_GRAMMAR = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)"
    r"(?:\.(\d+))?Z?\+00:00",
    re.ASCII,
)


def parse(text: str) -> datetime:
    """The moment, in UTC; Postgres keeps microseconds, so a longer fraction is rounded to them.

    As ORCA's own schema has it, `Z+00:00` is taken; a plain `Z`, every offset but a literal `+00:00`,
    `24:00:00` and a second of 60 are refused.

    Raises:
        ValueError: the text is no such time, or its year is not one of 1 to 9999.
    """
    found = _GRAMMAR.fullmatch(text)
    if found is None:
        raise ValueError("is not a time of the form YYYY-MM-DDTHH:MM:SS[.ffffff]+00:00")
    second, fraction = found.groups()
    try:
        if len(fraction or "") <= _MICROSECONDS and text[-7] != "Z":
            # As all producers write it, and every message has one or two: in one call.
            return datetime.fromisoformat(text)
        since = timedelta(microseconds=round(float(f"0.{fraction or 0}") * 1_000_000))
        return datetime.fromisoformat(f"{second}+00:00") + since
    except (ValueError, OverflowError):
        raise ValueError("is a day that no calendar has") from None


def show(moment: datetime) -> str:
    """The moment as ORCA's producers write it: six digits of fraction, or none at a whole second."""
    return moment.astimezone(UTC).isoformat()


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


OrcaTime = Annotated[datetime, PlainValidator(_validate), PlainSerializer(show)]
"""A moment with its zone; read from ORCA time, written as ORCA time."""
