"""Joins listing and catalog in DuckDB, within its memory, and leaves the differences in a file."""

from collections.abc import Callable
from pathlib import Path

import duckdb

from orca_daemon.reconcile.listing import HASHES, ODD, Listing
from orca_daemon.reconcile.protocol import COLUMNS, Compared, Task

_APART_FROM_DUCKDB = 224
"""MiB of the child that are not DuckDB's to limit: Python, Arrow's batches, what DuckDB does not count."""
_LEAST = 128
_FEW, _ONE_IN = 100, 100
"""So many rows that cannot be compared are always put up with, and beyond that one of so many."""
_EXAMPLES = 5
_STATEMENT = Path(__file__).with_suffix(".sql").read_text("utf-8")


class ListingRefusedError(ValueError):
    """The listing cannot be compared with the catalog."""


def open_engine(task: Task) -> duckdb.DuckDBPyConnection:
    """DuckDB with the task's limits, spilling to its folder."""
    engine = duckdb.connect(
        config={
            "memory_limit": f"{max(task.memory_mib - _APART_FROM_DUCKDB, _LEAST)}MiB",
            "threads": task.threads,
            "temp_directory": str(Path(task.folder) / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            # What is freed goes back to the system soon: 128 MiB of it would not be within our setting.
            "allocator_flush_threshold": "16MiB",
        }
    )
    # Counted, so that it can be asked for, but not drawn.
    engine.execute("SET enable_progress_bar = true")
    engine.execute("SET enable_progress_bar_print = false")
    return engine


def compare(engine: duckdb.DuckDBPyConnection, listing: Listing, catalogued: Callable[[], int]) -> Compared:
    """Run the comparison; `catalog` is there already.  The differences stay in the engine.

    Args:
        engine: where `catalog` is.
        listing: what to compare it with.
        catalogued: the number of rows that the catalog had, asked for afterwards.

    Raises:
        ListingRefusedError: the listing names a key more than once.
    """
    engine.execute(f"CREATE VIEW listing AS SELECT {HASHES}, * FROM ({listing.source})")
    engine.execute(f"CREATE TABLE differences AS {_STATEMENT}")
    times = dict(engine.execute("SELECT kind, sum(times)::BIGINT FROM differences GROUP BY kind").fetchall())
    found = Compared(
        listed=sum(times.get(kind, 0) for kind in ("match", "mismatch", "orphan", "odd")),
        catalogued=catalogued(),
        matched=times.get("match", 0),
        mismatched=times.get("mismatch", 0),
        phantoms=times.get("phantom", 0),
        recent=times.get("recent", 0),
        orphans=times.get("orphan", 0),
        not_compared=times.get("odd", 0),
    )
    _refuse_many(engine, found)
    if repeated := _repeated(engine, found):
        raise ListingRefusedError(f"it lists {repeated} keys more than once as their latest version")
    return found


def _repeated(engine: duckdb.DuckDBPyConnection, found: Compared) -> int:
    """Listed keys beyond the first of each.

    Keys are unique in the catalog, so a row of it that was met twice shows in the sums; only orphans have
    to be looked at.
    """
    met = found.matched + found.mismatched + found.phantoms + found.recent
    odd, orphans = engine.execute(
        "SELECT coalesce(sum(times) FILTER (kind = 'odd' AND file_id IS NOT NULL), 0)::BIGINT, "
        "coalesce(sum(times) FILTER (kind = 'orphan'), 0)::BIGINT "
        "- count(DISTINCT key_path) FILTER (kind = 'orphan') FROM differences"
    ).fetchall()[0]
    return met + int(odd) - found.catalogued + int(orphans)


def _refuse_many(engine: duckdb.DuckDBPyConnection, found: Compared) -> None:
    """Raise Refused where not only some rows are odd, but the inventory is."""
    if found.not_compared <= max(_FEW, found.listed // _ONE_IN):
        return
    (reason,) = engine.execute(
        "SELECT s3_etag FROM differences WHERE kind = 'odd' GROUP BY 1 ORDER BY sum(times) DESC LIMIT 1"
    ).fetchall()[0]
    raise ListingRefusedError(
        f"{found.not_compared:,} of its {found.listed:,} objects cannot be compared; mostly, {ODD[reason]}"
    )


def odd_ones(engine: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Some rows that could not be compared: the key as it stands in the listing, and what is wrong."""
    found = engine.execute(
        f"SELECT key_path, s3_etag FROM differences WHERE kind = 'odd' ORDER BY ALL LIMIT {_EXAMPLES}"
    ).fetchall()
    return [(str(key), ODD[reason]) for key, reason in found]


def refuse_empty(found: Compared, *, allowed: bool) -> None:
    """Raise Refused where a listing without objects meets a catalog with some, unless that is allowed."""
    if found.listed == 0 and found.catalogued > 0 and not allowed:
        raise ListingRefusedError(
            f"it lists no object, but the catalog has {found.catalogued} of this bucket; "
            "if that is true, allow it by the setting reconcile.allow_empty"
        )


def write(engine: duckdb.DuckDBPyConnection, listing: Listing, target: Path) -> None:
    """Write the differences to a file that Postgres can COPY; `protocol.COLUMNS` says what is in it."""
    columns = ", ".join(
        f"{listing.stamp} AS {name}" if name == "s3_last_update" else name for name in COLUMNS
    )
    path = str(target).replace("'", "''")
    engine.execute(
        # No values of rows: our own column names, and a path of ours.
        f"COPY (SELECT {columns} FROM differences WHERE kind IN ('phantom', 'orphan', 'mismatch')) "
        f"TO '{path}' (FORMAT csv, HEADER false, NULLSTR '\\N', FORCE_QUOTE *)"
    )
