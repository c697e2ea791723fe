"""Joins listing and catalog in DuckDB, within a memory limit, and writes the differences to a file."""

import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa

from orca_daemon.reconcile import copied_hashes, places
from orca_daemon.reconcile.catalog import Catalog
from orca_daemon.reconcile.hashing import Hashing, InPostgres
from orca_daemon.reconcile.held import empty
from orca_daemon.reconcile.listing import ODD, QUOTED, Listing, literal
from orca_daemon.reconcile.parts import Parts
from orca_daemon.reconcile.protocol import COLUMNS, Compared, Task
from orca_daemon.reconcile.set_aside import Catalogued, CollidedError

_OUTSIDE_DUCKDB, _OUTSIDE_IF_TWICE = 224, 384
"""MiB of the child outside DuckDB's limit: Python, Arrow's batches, and memory that DuckDB does not count,
which is more if a listing is read twice.  Measured with 10, 30 and 100 million objects."""
_LEAST, _LEAST_IF_TWICE = 128, 256
"""MiB that DuckDB needs at least."""
_BESIDE_CATALOG = 256
"""DuckDB's limit, in MiB, beside a catalog in memory, while it reads the listing."""
_FEW, _ONE_IN = 100, 100
"""An inventory is refused if more than 100 rows, and more than one row in 100, cannot be compared."""
_WAITING = 65_536
"""Rows that are put into a table of DuckDB's at one time."""
_EXAMPLES = 5
STATEMENT = Path(__file__).with_suffix(".sql").read_text("utf-8")
_DETAILS = Path(__file__).with_name("details.sql").read_text("utf-8")
_COLUMNS = ("key_path", "etag", "size_in_bytes", "last_update", "storage_class", "odd")
_QUOTED = f"SELECT * REPLACE ({QUOTED} AS etag)"
# What `compare.sql` reads, if the columns themselves are read afterwards: a join that outgrows its memory
# writes both sides to disk, and these rows are short.  The place of a row stands for its key.
_PLACES = (
    "SELECT key_hash, content_hash, position AS key_path, CASE WHEN odd IS NOT NULL THEN true END AS odd, "
    + ", ".join(f"CAST(NULL AS BOOLEAN) AS {column}" for column in _COLUMNS[1:-1])
)
_ROW = 72
"""Bytes of DuckDB's memory for a row of the catalog in a join; as a rule, the listing has as many rows."""
_WANTED = 400
"""Bytes of memory for a row whose columns are read in the second reading: it is in two hash tables, which
DuckDB does not write to disk."""


class ListingRefusedError(ValueError):
    """The listing cannot be compared with the catalog."""


class RepeatedError(ListingRefusedError):
    """The listing names a key more than once, or hashes of two keys are the same."""


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


def compare(engine: duckdb.DuckDBPyConnection, listing: Listing, catalog: Catalog, task: Task) -> Compared:
    """Run the comparison.  The differences stay in the engine, in the table `differences`.

    A large listing is read twice: first only hashes are joined, so that little is written to disk, then the
    other columns of the rows that differ are read.

    Args:
        engine: DuckDB.
        listing: the listing.
        catalog: the catalog to compare with it; attached.
        task: the task.

    Raises:
        RepeatedError: a hash of a key occurs more than once in the listing or in the catalog.
        ListingRefusedError: too many rows cannot be compared.
    """
    held, same = catalog.held, 0
    if held is not None and held.rows is not None:
        same = _compare_rest(engine, listing, held.hashing, held.rows, _limit_mib(task))
    elif held is not None and held.parts is not None and listing.rows:
        same = _compare_parts(engine, listing, held.hashing, held.parts, task)
    elif listing.rows * _ROW > _limit_mib(task) << 20:
        _compare_twice(engine, listing, catalog.hashing, task)
    else:
        if held is not None:
            engine.register("catalog", held.stream())
        rows = catalog.hashing.listing(engine, listing.source, _COLUMNS)
        engine.execute(f"CREATE VIEW listing AS {_QUOTED} FROM ({rows})")
        engine.execute(f"CREATE TABLE differences AS {STATEMENT}")
    return counted(engine, catalog.stream.rows, same)


def _compare_rest(
    engine: duckdb.DuckDBPyConnection,
    listing: Listing,
    hashing: InPostgres,
    catalogued: Catalogued,
    limit: int,
) -> int:
    """Join the rows that are not the same in listing and catalog; return the number of the others."""
    engine.execute(f"SET memory_limit = '{_BESIDE_CATALOG}MiB'")
    rows = hashing.rows(engine, listing.source, _COLUMNS)
    _store(engine, rows.schema, catalogued.others(rows))
    catalog = _rest(catalogued)
    engine.register("catalog", catalog)
    engine.execute(f"SET memory_limit = '{max(limit - (catalog.nbytes >> 20), _BESIDE_CATALOG)}MiB'")
    engine.execute(f"CREATE TABLE differences AS {STATEMENT}")
    return catalogued.same


def _rest(catalogued: Catalogued) -> pa.Table:
    try:
        return pa.Table.from_batches(catalogued.rest(), copied_hashes.SCHEMA)
    except CollidedError:
        raise RepeatedError("two rows of the catalog have the same hashes") from None


def _compare_parts(
    engine: duckdb.DuckDBPyConnection, listing: Listing, hashing: InPostgres, parts: Parts, task: Task
) -> int:
    """The same as `_compare_rest`, one part after another; the listing's own columns are read afterwards."""
    engine.execute(f"SET memory_limit = '{_BESIDE_CATALOG}MiB'")
    listed = Parts(Path(task.folder), "listing", parts.bits)
    for batch in hashing.rows(engine, listing.placed, ("odd", "position")):
        listed.add(places.as_numbers(batch))
    listed.close()
    same = 0
    for index in range(len(parts)):
        catalogued = empty(task)
        for rows in parts.read(index):
            catalogued.add(copied_hashes.as_batch(rows))
        listing_rows = map(places.as_batch, listed.read(index))
        if catalogued.fits:
            part = list(catalogued.others(listing_rows))
            catalog = _rest(catalogued)
        else:  # more than expected: DuckDB joins all rows
            part, catalog = list(listing_rows), pa.Table.from_batches(catalogued.pop(), copied_hashes.SCHEMA)
        same += catalogued.same
        engine.register("catalog", catalog)
        engine.register("part", pa.Table.from_batches(part, places.SCHEMA))
        engine.execute(f"CREATE OR REPLACE VIEW listing AS {_PLACES} FROM part")
        engine.execute(f"{'INSERT INTO found' if index else 'CREATE TABLE found AS'} {STATEMENT}")
    _read_details(engine, listing, _limit_mib(task, twice=True))
    return same


def _store(engine: duckdb.DuckDBPyConnection, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Create the table `listing` of these rows, which DuckDB may write to disk.

    Not by DuckDB reading `batches`: its threads would wait for them, and not decode the data files meanwhile.
    """
    engine.register("waiting", schema.empty_table())
    engine.execute(f"CREATE TABLE listing AS {_QUOTED} FROM waiting")
    waiting: list[pa.RecordBatch] = []
    for batch in chain(batches, [None]):
        if batch is not None:
            waiting.append(batch)
        if batch is None or sum(each.num_rows for each in waiting) > _WAITING:
            engine.register("waiting", pa.Table.from_batches(waiting, schema))
            engine.execute(f"INSERT INTO listing {_QUOTED} FROM waiting")
            waiting.clear()


def _compare_twice(engine: duckdb.DuckDBPyConnection, listing: Listing, hashing: Hashing, task: Task) -> None:
    """Join all rows, but only the places of the listing's; its own columns are read afterwards."""
    limit = _limit_mib(task, twice=True)
    engine.execute(f"SET memory_limit = '{limit}MiB'")
    rows = hashing.listing(engine, listing.placed, ("odd", "position"))
    engine.execute(f"CREATE VIEW listing AS {_PLACES} FROM ({rows})")
    engine.execute(f"CREATE TABLE found AS {STATEMENT}")
    _read_details(engine, listing, limit)


def _read_details(engine: duckdb.DuckDBPyConnection, listing: Listing, limit: int) -> None:
    """Make the table `differences` of `found`, in parts that fit into this limit (MiB)."""
    engine.execute(f"SET memory_limit = '{limit}MiB'")
    ((number,),) = engine.execute("SELECT count(key_path) FROM found").fetchall()
    parts = max(1, math.ceil(number * _WANTED / (limit << 20)))
    _choose(engine, parts, 0)
    engine.execute(f"CREATE VIEW listed AS {_QUOTED} FROM ({listing.again})")
    engine.execute(f"CREATE TABLE differences AS {_DETAILS}")
    for part in range(1, parts):
        _choose(engine, parts, part)
        engine.execute(f"INSERT INTO differences {_DETAILS}")
    engine.execute(
        "INSERT INTO differences BY NAME SELECT kind, file_id, times FROM found WHERE key_path IS NULL"
    )


def _choose(engine: duckdb.DuckDBPyConnection, parts: int, part: int) -> None:
    """Let `wanted` be this part of the differences whose columns are in the listing."""
    engine.execute(
        "CREATE OR REPLACE VIEW wanted AS "
        f"SELECT kind, file_id, key_path, times FROM found WHERE key_path % {parts} = {part}"
    )


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
