"""Moments and spans of time as people write and read them on a command line."""

import re
from datetime import UTC, datetime, timedelta

import typer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def before(now: datetime, text: str) -> datetime:
    """The moment `90s`, `30m`, `24h`, `7d` or `2w` before now.  Raises BadParameter."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    if not found:
        raise typer.BadParameter(f"{text!r} is no span of time such as 30m, 24h or 7d")
    try:
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is longer than the calendar goes back") from None


def parse_time(text: str, now: datetime) -> datetime:
    """A date or time of ISO 8601, in UTC unless it says otherwise, or a span before now.

    Raises BadParameter.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return before(now, text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def format_time(when: datetime | None) -> str:
    """To the second, in UTC; a dash for never."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if when else "-"
