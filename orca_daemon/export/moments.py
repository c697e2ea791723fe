"""Days and times as Postgres writes them (ISO, UTC), as numbers: also those that Python has no words for."""

import re
from datetime import date

_DAY = re.compile(r"(\d{4,})-(\d\d)-(\d\d)")
_CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
"""After so many years the calendar repeats itself."""
_EPOCH = date(1970, 1, 1).toordinal()
_INT64, _INT32 = 2**63 - 1, 2**31 - 1
_INFINITE = {"infinity": 1, "-infinity": -1}


def day(text: str) -> int:
    """Days since 1970; an infinity is the largest number, or the least but one."""
    return _INFINITE[text] * _INT32 if text in _INFINITE else _days(text)


def moment(text: str) -> int:
    """Microseconds since 1970, in the zone that the text is in; infinities as with days."""
    if text in _INFINITE:
        return _INFINITE[text] * _INT64
    # The last years of Postgres's calendar do not fit.
    return min(_days(text) * 86_400_000_000 + change_time(text.partition(" ")[2]), _INT64)


def change_time(text: str) -> int:
    """Microseconds since midnight; 24:00:00 is one of them."""
    hours, minutes, seconds, fraction = _parts(_CLOCK, text)
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1_000_000 + int((fraction or "").ljust(6, "0"))


def _days(text: str) -> int:
    year, month, day_of_month = map(int, _parts(_DAY, text))
    cycle, rest = divmod(1 - year if text.endswith(" BC") else year, _CYCLE_YEARS)
    ordinal = date(_CYCLE_YEARS + rest, month, day_of_month).toordinal()
    return ordinal - _EPOCH + (cycle - 1) * _CYCLE_DAYS


def _parts(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    match = pattern.match(text)
    if match is None:
        raise ValueError("no day or time")
    return match.groups()
