"""What a file says about itself in its footer, and what the next run reads there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orca_daemon import __version__
from orca_daemon.export.keys import write_time
from orca_daemon.export.snapshot import Snapshot, pack, unpack
from orca_daemon.export.window import Last, Window

KEY = b"orca_daemon.export"
"""Name of our entry among the file's key-value metadata; its value is a JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the rows come from."""

    table: str
    relation: str
    source: str
    """`host:port/database`."""
    columns: tuple[tuple[str, str], ...]
    """Name and Postgres type of each column."""
    snapshot: Snapshot


def write(origin: Origin, window: Window) -> dict[bytes, bytes]:
    """The metadata of a file."""
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
    """The file of this key and time.  What is not ours, or damaged, is a file of another program."""
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
    """How the columns differ: `added`, `removed` and `retyped`; empty where they do not, or nobody knows."""
    if not before:
        return {}
    old, new = dict(before), dict(now)
    found = {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "retyped": [
            f"{name}: {old[name]} -> {new[name]}" for name in new if old.get(name, new[name]) != new[name]
        ],
    }
    return {what: names for what, names in found.items() if names}
