"""The key and the footer of an exported file: a run writes them, and the next run reads them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orca_daemon import __version__
from orca_daemon.export.snapshot import Snapshot, pack, unpack
from orca_daemon.export.window import Last, Window

KEY = b"orca_daemon.export"
"""Name of our entry among the file's key-value metadata; its value is a JSON object."""
_KEY = re.compile(r"/(\d{4})/(\d{2})/(\d{2})/(\d{2})(\d{2})(\d{2})(\d{6})\.parquet$")


def file_key(table: str, end: datetime) -> str:
    """`table/yyyy/mm/dd/hhmmssmmmmmm.parquet`, in UTC.  `end` is aware."""
    return f"{prefix(table)}{end.astimezone(UTC):%Y/%m/%d/%H%M%S%f}.parquet"


def prefix(table: str) -> str:
    """The prefix of the keys of a table's files."""
    return f"{table}/"


def time_of(key: str, table: str) -> datetime | None:
    """When the run that wrote this file began; None if it is not the key of an export of this table."""
    match = _KEY.fullmatch(key, len(table)) if key.startswith(prefix(table)) else None
    if match is None:
        return None
    try:
        return datetime(*(int(part) for part in match.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None


def write_time(time: datetime) -> str:
    """ISO 8601 in UTC, always with six digits of the fraction, so that equal times have equal texts."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The source of the rows."""

    table: str
    relation: str
    source: str
    """`host:port/database`."""
    columns: tuple[tuple[str, str], ...]
    """Name and Postgres type of each column."""
    snapshot: Snapshot


def write(origin: Origin, window: Window) -> dict[bytes, bytes]:
    """The key-value metadata of a file."""
    document = {
        "version": __version__,
        "table": origin.table,
        "relation": origin.relation,
        "source": origin.source,
        "start": write_time(window.start) if window.start else None,
        "end": write_time(window.end),
        "full": window.whole,
        "snapshot": {
            "xmin": origin.snapshot.xmin,
            "xmax": origin.snapshot.xmax,
            "seen_bits": pack(origin.snapshot.seen),
            "cluster": origin.snapshot.cluster,
        },
        "columns": origin.columns,
    }
    return {KEY: json.dumps(document).encode()}


def read(key: str, end: datetime, metadata: Mapping[bytes, bytes] | None) -> Last:
    """The file with this key and time.  Metadata that is damaged counts as that of another program."""
    try:
        document = json.loads((metadata or {})[KEY])
        return Last(key, end, _snapshot(document["snapshot"]), _columns(document["columns"]))
    except (KeyError, TypeError, ValueError):
        return Last(key, end)


def _snapshot(document: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        int(document["xmin"]), int(document["xmax"]), unpack(document["seen_bits"]), str(document["cluster"])
    )


def _columns(document: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(kind)) for name, kind in document)


def changes(before: tuple[tuple[str, str], ...], now: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    """How the columns differ: `added`, `removed`, `retyped`; empty if they do not, or `before` is unknown."""
    if not before:
        return {}
    old, new = dict(before), dict(now)
    differences = {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "retyped": [
            f"{name}: {old[name]} -> {new[name]}" for name in new if old.get(name, new[name]) != new[name]
        ],
    }
    return {kind: names for kind, names in differences.items() if names}
