"""The lower limit of a comparison: the catalog alone, read by the fastest COPY that this machine gives."""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processor import Processor, processor
from bench.reconcile.case import Case, cursor_of

_COLUMNS = "f.id, f.key_path, f.etag, f.size_in_bytes, f.storage_class_id"
CONNECTIONS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Floor:
    """One COPY of the catalog."""

    seconds: float
    processor: Processor
    connections: int


def fastest_copy(case: Case) -> Floor:
    """The fastest of some binary COPYs into nothing, by one or several connections under one snapshot."""
    return min((_copy(case, number) for number in CONNECTIONS), key=lambda floor: floor.seconds)


def _copy(case: Case, connections: int) -> Floor:
    with ExitStack() as stack:
        cursors = [stack.enter_context(cursor_of(case.url)) for _ in range(connections)]
        for cursor in cursors:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursors[0].execute("SELECT pg_export_snapshot(), pg_relation_size('orca.files') / 8192")
        snapshot, pages = cursors[0].fetchone()
        for cursor in cursors[1:]:
            cursor.execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))
        bounds = [pages * number // connections for number in range(1, connections)]
        ranges = zip(cursors, [0, *bounds], [*bounds, 1 << 31], strict=True)
        threads = [threading.Thread(target=_copy_range, args=arguments) for arguments in ranges]
        before, began = processor(case.server), time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Floor(time.monotonic() - began, processor(case.server) - before, connections)


def _copy_range(cursor: Any, start: int, end: int) -> None:
    with Path("/dev/null").open("wb", buffering=1 << 20) as nowhere:
        cursor.copy_expert(
            f"COPY (SELECT {_COLUMNS} FROM orca.files f WHERE f.orca_archive_location = 'archive' "
            f"AND f.ctid >= '({start},0)' AND f.ctid < '({end},0)') TO STDOUT (FORMAT binary)",
            nowhere,
        )
