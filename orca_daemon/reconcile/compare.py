"""Compares a listing with the catalog, judges the result, and writes the differences to a file."""

from pathlib import Path

import duckdb

from orca_daemon.reconcile.catalog import Catalog
from orca_daemon.reconcile.joins import find_differences
from orca_daemon.reconcile.listing import ODD, Listing, literal
from orca_daemon.reconcile.protocol import COLUMNS, Compared, Task
from orca_daemon.reconcile.refusal import ListingRefusedError, RepeatedError
from orca_daemon.reconcile.set_aside import CollidedError

_FEW, _ONE_IN = 100, 100
"""An inventory is refused if more than 100 rows, and more than one row in 100, cannot be compared."""
_EXAMPLES = 5


def compare(engine: duckdb.DuckDBPyConnection, listing: Listing, catalog: Catalog, task: Task) -> Compared:
    """Run the comparison.  The differences stay in the engine, in the table `differences`.

    Args:
        engine: DuckDB.
        listing: the listing.
        catalog: the catalog to compare with it; attached.
        task: the task.

    Raises:
        RepeatedError: a hash of a key occurs more than once in the listing or in the catalog.
        ListingRefusedError: too many rows cannot be compared.
    """
    try:
        same = find_differences(engine, listing, catalog, task)
    except CollidedError:
        raise RepeatedError("two rows of the catalog have the same hashes") from None
    return counted(engine, catalog.stream.rows, same)


def counted(engine: duckdb.DuckDBPyConnection, catalogued: int, same: int = 0) -> Compared:
    """Count the table `differences`.

    Args:
        engine: DuckDB.
        catalogued: the number of rows of the catalog.
        same: rows of the listing that match and are not in the table.

    Raises:
        RepeatedError: the listing names a key more than once, or two keys have the same hash.
        ListingRefusedError: too many rows cannot be compared.
    """
    times = dict(engine.execute("SELECT kind, sum(times)::BIGINT FROM differences GROUP BY kind").fetchall())
    counts = Compared(
        listed=same + sum(times.get(kind, 0) for kind in ("match", "mismatch", "orphan", "odd")),
        catalogued=catalogued,
        matched=same + times.get("match", 0),
        mismatched=times.get("mismatch", 0),
        phantoms=times.get("phantom", 0),
        recent=times.get("recent", 0),
        orphans=times.get("orphan", 0),
        not_compared=times.get("odd", 0),
    )
    _refuse_many(engine, counts)
    if repeated := _repeated(engine, counts):
        raise RepeatedError(f"it lists {repeated} keys more than once as their latest version")
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
