"""Options that several commands have, and how their values are read."""

import re
from collections.abc import Iterable
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
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Wide = Annotated[bool, typer.Option("--wide", help="Cut nothing to the width of the terminal.")]
_DAYS = {"today": 0, "yesterday": 1}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class StatusName(StrEnum):
    """The status of a file, by name."""

    PENDING = "pending"
    STAGED = "staged"
    FAILED = "failed"
    SUCCESS = "success"

    @property
    def status(self) -> RecoveryStatus:
        """The status itself."""
        return RecoveryStatus[self.name]


class StatusChoice(StrEnum):
    """What a list of files or jobs is narrowed to: a status, or all of those that are open."""

    OPEN = "open"
    PENDING = "pending"
    STAGED = "staged"
    FAILED = "failed"
    SUCCESS = "success"

    @property
    def statuses(self) -> tuple[RecoveryStatus, ...]:
        """The status, or pending and staged, as the console understands `open`."""
        if self is StatusChoice.OPEN:
            return RecoveryStatus.PENDING, RecoveryStatus.STAGED
        return (RecoveryStatus[self.name],)


def statuses_of(choices: Iterable[StatusChoice] | None) -> tuple[RecoveryStatus, ...]:
    """The statuses of all choices, each once; none if nothing was chosen."""
    return tuple(dict.fromkeys(status for choice in choices or () for status in choice.statuses))


def s3_object(url: str) -> "S3Object":
    """The object that `s3://bucket/key` names.  Raises BadParameter."""
    from orca_daemon.aws.s3copy import S3Object

    try:
        return S3Object.of(url)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_time(text: str | None, now: datetime, option: str) -> datetime | None:
    """The time that an option names: ISO 8601, in UTC unless it has an offset, a day, or a span before now.

    `today` and `yesterday` begin at midnight in UTC, as all printed times are.  None for None.  Raises
    BadParameter.
    """
    if text is None:
        return None
    if text in _DAYS:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=_DAYS[text])
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        problem = f"{text!r} is not a time; use ISO 8601, today, yesterday, or a span such as 30m, 24h, 7d"
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
