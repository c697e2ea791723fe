"""Corrects values of ORCA's variables that its Lambdas run with and we do not: the daemon starts with them.

Contract 4: ORCA reads `COPY_RETRIES` and the sizes with `int()`, `COPY_RETRY_SLEEP_SECS` with `float()`, and
`LOG_LEVEL` as Python's logging does.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Value = str | int | float
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Correction:
    """A value of a variable of ORCA's that is not used as it was given."""

    variable: str
    setting: str
    given: str
    used: Value
    reason: str


def corrected(variable: str, setting: str, given: str) -> tuple[Value, Correction | None]:
    """The value to use for `setting`, and what was corrected; text that ORCA cannot read either is kept."""
    used, reason = _READERS[setting](given) if setting in _READERS else (given, "")
    if not reason:
        return used, None
    return used, Correction(variable, setting, given[:_LONGEST_SHOWN], used, reason)


def _level(given: str) -> tuple[Value, str]:
    text = given.lower()
    name = _LEVELS.get(text, text)
    number = _number(text)
    if number is not None:
        name = next((level for least, level in _BY_NUMBER if number <= least), "critical")
    return name, "" if name == text else "the name of this level here"


def _whole(least: int, most: int | None = None, *, below: str = "") -> Callable[[str], tuple[Value, str]]:
    """A whole number within limits; `below`: why the least is used, where that is not obvious."""

    def read(given: str) -> tuple[Value, str]:
        number = _number(given)
        if number is None:
            return given, ""
        used = max(least, math.floor(number))
        if number < least or (below and number == least):
            return least, below or f"the least is {least}"
        if most is not None and used > most:
            return most, f"the most is {most}"
        return used, "" if used == number else "a whole number is wanted"

    return read


def _seconds(given: str) -> tuple[Value, str]:
    try:
        number = float(given)
    except ValueError:
        return given, ""
    if not math.isfinite(number) or number < 0:
        return 0.0, "no number of seconds to wait"
    return number, ""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


_LEVELS = {"warn": "warning", "fatal": "critical", "notset": "debug"}
_BY_NUMBER = ((10, "debug"), (20, "info"), (30, "warning"), (40, "error"))
"""A level of Python lets pass what is at or above its number."""
_READERS: Mapping[str, Callable[[str], tuple[Value, str]]] = {
    "log.level": _level,
    "copies.attempts": _whole(1),
    "copies.retry_sleep": _seconds,
    "copies.chunk_mib": _whole(5, 5120),
    "copies.parts": _whole(1),
    "reconcile.expire_days": _whole(0, below="0 keeps all jobs here; ORCA would remove every one"),
}
