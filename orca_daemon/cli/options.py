"""Options that several commands have, and how their values are read."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orca_daemon.wire.status import RecoveryStatus

if TYPE_CHECKING:
    from orca_daemon.aws.s3copy import S3Object

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings file (TOML).", envvar="ORCA_CONFIG")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
Wide = Annotated[bool, typer.Option("--wide", help="Cut nothing to the width of the terminal.")]
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class StatusName(StrEnum):
    """The status of a file or a job, by name."""

    PENDING = "pending"
    STAGED = "staged"
    FAILED = "failed"
    SUCCESS = "success"

    @property
    def status(self) -> RecoveryStatus:
        """The status itself."""
        return RecoveryStatus[self.name]


def s3_object(url: str) -> "S3Object":
    """The object that `s3://bucket/key` names.  Raises BadParameter."""
    from orca_daemon.aws.s3copy import S3Object

    try:
        return S3Object.of(url)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_time(text: str | None, now: datetime, option: str) -> datetime | None:
    """The time that an option names: ISO 8601, in UTC unless it has an offset, or a span before now.

    None for None.  Raises BadParameter.
    """
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        problem = f"{text!r} is not a time; use ISO 8601 or a span such as 30m, 24h, 7d"
        return _before(now, text, option, problem)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def parse_span(text: str | None, now: datetime, option: str) -> datetime | None:
    """The time `90s`, `30m`, `24h`, `7d` or `2w` before now.  None for None.  Raises BadParameter."""
    if text is None:
        return None
    return _before(now, text, option, f"{text!r} is not a span of time; use one such as 30m, 24h, 7d")


def _before(now: datetime, text: str, option: str, problem: str) -> datetime:
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    if not match:
        raise typer.BadParameter(problem, param_hint=option)
    try:
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is before the year 1", param_hint=option) from None
