"""Names of the files: each says which table it is of and when its run began, and sorts by time."""

import re
from datetime import UTC, datetime

_KEY = re.compile(r"/(\d{4})/(\d{2})/(\d{2})/(\d{2})(\d{2})(\d{2})(\d{6})\.parquet$")


def file_key(table: str, end: datetime) -> str:
    """`table/yyyy/mm/dd/hhmmssmmmmmm.parquet`, in UTC.  `end` is aware."""
    return f"{prefix(table)}{end.astimezone(UTC):%Y/%m/%d/%H%M%S%f}.parquet"


def prefix(table: str) -> str:
    """What the keys of a table's files begin with."""
    return f"{table}/"


def time_of(key: str, table: str) -> datetime | None:
    """When the run of this file began; None for the key of anything else."""
    match = _KEY.fullmatch(key, len(table)) if key.startswith(prefix(table)) else None
    if match is None:
        return None
    try:
        return datetime(*(int(part) for part in match.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None


def write_time(time: datetime) -> str:
    """ISO 8601 in UTC, with all six digits of the fraction: equal texts are equal times."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")
