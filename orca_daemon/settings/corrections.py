"""Corrects values of ORCA's variables that ORCA's Lambdas accept and the daemon would refuse.

Contract 4: ORCA reads `COPY_RETRIES` and the sizes with `int()`, `COPY_RETRY_SLEEP_SECS` with `float()`, and
`LOG_LEVEL` as Python's logging does.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Value = str | int | float
LONGEST_VALUE = 40
"""Characters of a wrong value that are reported."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A corrected value of one of ORCA's variables."""

    variable: str
    setting: str
    given: str
    used: Value
    reason: str


def corrected(variable: str, setting: str, given: str) -> tuple[Value, Correction | None]:
    """The value to use for `setting`, and the correction if there is one.

    A text that ORCA cannot read either is returned unchanged, for validation to refuse it.
    """
    used, reason = _READERS[setting](given) if setting in _READERS else (given, "")
    if not reason:
        return used, None
    return used, Correction(variable, setting, given[:LONGEST_VALUE], used, reason)


def _level(given: str) -> tuple[Value, str]:
    text = given.lower()
    name = _LEVELS.get(text, text)
    number = _number(text)
    if number is not None:
        name = next((level for least, level in _BY_NUMBER if number <= least), "critical")
    return name, "" if name == text else "the daemon's name of this level"


def _integer(least: int, most: int | None = None, *, below: str = "") -> Callable[[str], tuple[Value, str]]:
    """A reader of integers within limits.  `below` is the reason if `least` or less is given."""

    def read(given: str) -> tuple[Value, str]:
        number = _number(given)
        if number is None:
            return given, ""
        used = max(least, math.floor(number))
        if number < least or (below and number == least):
            return least, below or f"the least is {least}"
        if most is not None and used > most:
            return most, f"the most is {most}"
        return used, "" if used == number else "the setting is a whole number"

    return read


def _seconds(given: str) -> tuple[Value, str]:
    try:
        number = float(given)
    except ValueError:
        return given, ""
    if not math.isfinite(number) or number < 0:
        return 0.0, "not a number of seconds to wait"
    return number, ""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


_LEVELS = {"warn": "warning", "fatal": "critical", "notset": "debug"}
_BY_NUMBER = ((10, "debug"), (20, "info"), (30, "warning"), (40, "error"))
"""Largest number of each level: a level lets pass all records with its number or a larger one."""
_READERS: Mapping[str, Callable[[str], tuple[Value, str]]] = {
    "log.level": _level,
    "copies.attempts": _integer(1),
    "copies.retry_sleep": _seconds,
    "copies.chunk_mib": _integer(5, 5120),
    "copies.parts": _integer(1),
    "restore.days": _integer(1),
    "restore.retries": _integer(0),
    "restore.retry_sleep": _seconds,
    "reconcile.expire_days": _integer(0, below="0 keeps all jobs here; ORCA would remove every one"),
}
