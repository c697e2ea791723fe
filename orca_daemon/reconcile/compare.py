"""Joins listing and catalog in DuckDB, within a memory limit, and writes the differences to a file."""

import math
from collections.abc import Callable
from pathlib import Path

import duckdb

from orca_daemon.reconcile.listing import HASHES, ODD, Listing, literal
from orca_daemon.reconcile.protocol import COLUMNS, Compared, Task

_OUTSIDE_DUCKDB, _OUTSIDE_IF_TWICE = 224, 384
"""MiB of the child outside DuckDB's limit: Python, Arrow's batches, and memory that DuckDB does not count,
which is more if a listing is read twice.  Measured with 10, 30 and 100 million objects."""
_LEAST, _LEAST_IF_TWICE = 128, 256
"""MiB that DuckDB needs at least."""
_FEW, _ONE_IN = 100, 100
"""An inventory is refused if more than 100 rows, and more than one row in 100, cannot be compared."""
_EXAMPLES = 5
STATEMENT = Path(__file__).with_suffix(".sql").read_text("utf-8")
_FOUND, _DETAILS = (
    Path(__file__).with_name(name).read_text("utf-8") for name in ("found.sql", "details.sql")
)
_ROW = 72
"""Bytes of DuckDB's memory for a row of the catalog in a join; as a rule, the listing has as many rows."""
_WANTED = 400
"""Bytes of memory for a row whose columns are read in the second reading: it is in two hash tables, which
DuckDB does not write to disk."""


class ListingRefusedError(ValueError):
    """The listing cannot be compared with the catalog."""


def open_engine(task: Task) -> duckdb.DuckDBPyConnection:
    """DuckDB with the task's limits; it spills to the task's folder."""
    engine = duckdb.connect(
        config={
            "memory_limit": f"{_limit_mib(task)}MiB",
            "threads": task.threads,
            "temp_directory": str(Path(task.folder) / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            # Returns freed memory to the system early: with the default of 128 MiB, the process would exceed
            # our setting.
            "allocator_flush_threshold": "16MiB",
        }
    )
    # `query_progress` needs the progress bar; its output is off.
    engine.execute("SET enable_progress_bar = true")
    engine.execute("SET enable_progress_bar_print = false")
    # The hash table is made of the catalog, which stands on the right of the join: its rows are short.
    # DuckDB would choose the side that it thinks has fewer rows, and it cannot know the catalog's.
    engine.execute("SET disabled_optimizers = 'build_side_probe_side'")
    return engine


def _limit_mib(task: Task, *, twice: bool = False) -> int:
    """DuckDB's limit; `twice` if a listing is read twice."""
    if twice:
        return max(task.memory_mib - _OUTSIDE_IF_TWICE, _LEAST_IF_TWICE)
    return max(task.memory_mib - _OUTSIDE_DUCKDB, _LEAST)


def compare(
    engine: duckdb.DuckDBPyConnection, listing: Listing, catalogued: Callable[[], int], task: Task
) -> Compared:
    """Run the comparison.  The differences stay in the engine, in the table `differences`.

    A large listing is read twice: first only hashes are joined, so that little is written to disk, then the
    other columns of the rows that differ are read.

    Args:
        engine: has the relation `catalog` already.
        listing: the listing to compare with it.
        catalogued: returns the number of rows of the catalog; called after the join.
        task: the task.

    Raises:
        ListingRefusedError: the listing names a key more than once.
    """
    engine.execute(f"CREATE VIEW listing AS SELECT {HASHES}, * FROM ({listing.source})")
    if listing.rows * _ROW > _limit_mib(task) << 20:
        _compare_twice(engine, listing, task)
    else:
        engine.execute(f"CREATE TABLE differences AS {STATEMENT}")
    return counted(engine, catalogued())


def _compare_twice(engine: duckdb.DuckDBPyConnection, listing: Listing, task: Task) -> None:
    limit = _limit_mib(task, twice=True)
    engine.execute(f"SET memory_limit = '{limit}MiB'")
    engine.execute(f"CREATE TABLE found AS {_FOUND}")
    ((rows,),) = engine.execute("SELECT count(key_hash) FROM found").fetchall()
    parts = max(1, math.ceil(rows * _WANTED / (limit << 20)))
    _choose(engine, parts, 0)
    engine.execute(f"CREATE VIEW listed_again AS SELECT {HASHES}, * FROM ({listing.again})")
    engine.execute(f"CREATE TABLE differences AS {_DETAILS}")
    for part in range(1, parts):
        _choose(engine, parts, part)
        engine.execute(f"INSERT INTO differences {_DETAILS}")
    engine.execute(
        "INSERT INTO differences BY NAME SELECT kind, file_id, times FROM found WHERE key_hash IS NULL"
    )


def _choose(engine: duckdb.DuckDBPyConnection, parts: int, part: int) -> None:
    """Let `wanted` be this part of the rows of `found` that are in the listing."""
    engine.execute(
        "CREATE OR REPLACE VIEW wanted AS "
        f"FROM found WHERE key_hash IS NOT NULL AND key_rest % {parts} = {part}"
    )


def counted(engine: duckdb.DuckDBPyConnection, catalogued: int) -> Compared:
    """Count the table `differences`; `catalogued` is the number of rows of the catalog.

    Raises:
        ListingRefusedError: the listing names a key more than once, or too many rows cannot be compared.
    """
    times = dict(engine.execute("SELECT kind, sum(times)::BIGINT FROM differences GROUP BY kind").fetchall())
    counts = Compared(
        listed=sum(times.get(kind, 0) for kind in ("match", "mismatch", "orphan", "odd")),
        catalogued=catalogued,
        matched=times.get("match", 0),
        mismatched=times.get("mismatch", 0),
        phantoms=times.get("phantom", 0),
        recent=times.get("recent", 0),
        orphans=times.get("orphan", 0),
        not_compared=times.get("odd", 0),
    )
    _refuse_many(engine, counts)
    if repeated := _repeated(engine, counts):
        raise ListingRefusedError(f"it lists {repeated} keys more than once as their latest version")
    return counts


def _repeated(engine: duckdb.DuckDBPyConnection, counts: Compared) -> int:
    """How many rows of the listing repeat a key: all but the first row of each key.

    Keys are unique in the catalog, so a repeated key that is in the catalog makes the joined rows more than
    the rows of the catalog.  Orphans join no row of the catalog, so their keys are counted.
    """
    joined = counts.matched + counts.mismatched + counts.phantoms + counts.recent
    odd, orphans = engine.execute(
        "SELECT coalesce(sum(times) FILTER (kind = 'odd' AND file_id IS NOT NULL), 0)::BIGINT, "
        "coalesce(sum(times) FILTER (kind = 'orphan'), 0)::BIGINT "
        "- count(DISTINCT key_path) FILTER (kind = 'orphan') FROM differences"
    ).fetchall()[0]
    return joined + int(odd) - counts.catalogued + int(orphans)


def _refuse_many(engine: duckdb.DuckDBPyConnection, counts: Compared) -> None:
    """Raise ListingRefusedError if so many rows are odd that the inventory as a whole is unusable."""
    if counts.not_compared <= max(_FEW, counts.listed // _ONE_IN):
        return
    # A row that cannot be compared (`odd`) has its problem in the column `s3_etag`: see compare.sql.
    (reason,) = engine.execute(
        "SELECT s3_etag FROM differences WHERE kind = 'odd' GROUP BY 1 ORDER BY sum(times) DESC LIMIT 1"
    ).fetchall()[0]
    raise ListingRefusedError(
        f"{counts.not_compared:,} of its {counts.listed:,} objects cannot be compared; mostly, {ODD[reason]}"
    )


def odd_examples(engine: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Some rows that could not be compared: the key as the listing has it, and the problem."""
    rows = engine.execute(
        f"SELECT key_path, s3_etag FROM differences WHERE kind = 'odd' ORDER BY ALL LIMIT {_EXAMPLES}"
    ).fetchall()
    return [(str(key), ODD[reason]) for key, reason in rows]


def refuse_empty(counts: Compared, *, stored: bool, allowed: bool) -> None:
    """Raise ListingRefusedError if the listing is empty and the catalog is not, unless that is allowed.

    It is never allowed for a listing in Postgres: ORCA may have removed its rows after the job was opened.
    """
    if counts.listed or not counts.catalogued or (allowed and not stored):
        return
    remedy = "compare the inventory by its manifest" if stored else "allow it by reconcile.allow_empty"
    raise ListingRefusedError(
        f"it lists no object, but the catalog has {counts.catalogued:,} of this bucket; if the bucket is "
        f"empty, {remedy}"
    )


def write(engine: duckdb.DuckDBPyConnection, listing: Listing, target: Path) -> None:
    """Write the differences to a file that Postgres can COPY; `protocol.COLUMNS` has its columns."""
    columns = ", ".join(
        f"{listing.stamp} AS {name}" if name == "s3_last_update" else name for name in COLUMNS
    )
    engine.execute(
        # Built from our own column names and our own path; no values of rows.
        # In the order of the catalog's rows, which Postgres then reads from its disk in their order.
        f"COPY (SELECT {columns} FROM differences WHERE kind IN ('phantom', 'orphan', 'mismatch') "
        "ORDER BY file_id) "
        f"TO {literal(str(target))} (FORMAT csv, HEADER false, NULLSTR '\\N', FORCE_QUOTE *)"
    )
