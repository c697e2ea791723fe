"""How a field of a dead letter is printed for people; anybody may have written it."""

import json
from datetime import UTC, datetime

from orca_daemon.cli.table import printable

_LABELS = {"buried_at": "dead-lettered at", "message_id": "message id"}


def label(name: str) -> str:
    """What people read for a key of `--json`."""
    return _LABELS.get(name, name)


def for_people(name: str, value: object) -> str:
    """For people: times in ISO 8601 and lines as lines, without other control characters."""
    if value is None:
        return "-"
    if isinstance(value, dict):
        value = json.dumps({label(key): _iso(key, item) for key, item in value.items()}, indent=2)
    return "\n".join(printable(line.expandtabs(4)) for line in str(_iso(name, value)).splitlines())


def _iso(name: str, value: object) -> object:
    """ISO 8601 for a number whose name ends in `_at`; any other value unchanged."""
    if not name.endswith("_at") or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # evidence may hold any number
        return value
