"""Finds what differs between a listing and a catalog, in one of several ways that their sizes decide."""

import math
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from orca_daemon.reconcile import copied_hashes, places
from orca_daemon.reconcile.catalog import Catalog
from orca_daemon.reconcile.engine import BESIDE_CATALOG, LEAST, limit, limit_mib
from orca_daemon.reconcile.hashing import Hashing, InPostgres
from orca_daemon.reconcile.held import free_mib, in_memory, streamed
from orca_daemon.reconcile.listing import QUOTED, Listing
from orca_daemon.reconcile.parts import CONTENT, KEY, Numbers, Parts
from orca_daemon.reconcile.protocol import Task
from orca_daemon.reconcile.read_ahead import ahead
from orca_daemon.reconcile.set_aside import Catalogued

STATEMENT = Path(__file__).with_name("compare.sql").read_text("utf-8")
_DETAILS = Path(__file__).with_name("details.sql").read_text("utf-8")
_COLUMNS = ("key_path", "etag", "size_in_bytes", "last_update", "storage_class", "odd")
_QUOTED = f"SELECT * REPLACE ({QUOTED} AS etag)"
# What `compare.sql` reads, if the columns themselves are read afterwards: a join that outgrows its memory
# writes both sides to disk, and these rows are short.  The place of a row stands for its key.
_PLACES = (
    "SELECT key_hash, content_hash, position AS key_path, CASE WHEN odd IS NOT NULL THEN true END AS odd, "
    + ", ".join(f"CAST(NULL AS BOOLEAN) AS {column}" for column in _COLUMNS[1:-1])
)
_WAITING = 65_536
"""Rows that are put into a table of DuckDB's at one time."""
_AHEAD = 16 << 20
"""Bytes of the listing's rows on disk that are read ahead."""
_ROW = 72
"""Bytes of DuckDB's memory for a row of the catalog in a join; as a rule, the listing has as many rows."""
_WANTED = 400
"""Bytes of memory for a row whose columns are read in the second reading: it is in two hash tables, which
DuckDB does not write to disk."""


def find_differences(
    engine: duckdb.DuckDBPyConnection, listing: Listing, catalog: Catalog, task: Task
) -> int:
    """Create the table `differences`; return how many rows of the listing match beside those that it counts.

    - Hashes of the catalog in memory: the listing is looked up in them, and only what differs is joined.
    - Hashes of the catalog on disk, and a listing that can be read again: the same, one part after another,
      without the listing's own columns, which are read afterwards for the rows that differ.
    - Otherwise everything is joined; of a large listing that can be read again, only hashes at first.

    Args:
        engine: DuckDB.
        listing: the listing.
        catalog: the catalog, attached.
        task: the task.

    Raises:
        CollidedError: two rows of the catalog have the same hashes.
    """
    if (held := catalog.held) is not None:
        if held.parts is None:
            return _look_up(engine, listing, held.hashing, held.rows, task)
        if listing.rows:
            return _look_up_parts(engine, listing, catalog, held.hashing, held.parts, task)
        catalog.wait()
        engine.register("catalog", streamed(held.parts))
    if listing.rows * _ROW > limit_mib(task) << 20:
        _join_places(engine, listing, catalog.hashing, task)
    else:
        rows = catalog.hashing.listing(engine, listing.source, _COLUMNS)
        engine.execute(f"CREATE VIEW listing AS {_QUOTED} FROM ({rows})")
        engine.execute(f"CREATE TABLE differences AS {STATEMENT}")
    return 0


def _look_up(
    engine: duckdb.DuckDBPyConnection,
    listing: Listing,
    hashing: InPostgres,
    catalogued: Catalogued,
    task: Task,
) -> int:
    limit(engine, BESIDE_CATALOG)
    rows = hashing.rows(engine, listing.source, _COLUMNS)
    _store(engine, rows.schema, catalogued.others(rows))
    limit(engine, LEAST)  # what it does not need now goes to the disk, or back to the system
    keys = engine.sql("SELECT key_hash FROM listing").to_arrow_table().column(0)
    rest = pa.Table.from_batches(catalogued.rest(keys.to_numpy()), copied_hashes.SCHEMA)
    engine.register("catalog", rest)
    limit(engine, max(free_mib(task) - (rest.nbytes >> 20), BESIDE_CATALOG))
    engine.execute(f"CREATE TABLE differences AS {STATEMENT}")
    return catalogued.same


def _look_up_parts(
    engine: duckdb.DuckDBPyConnection,
    listing: Listing,
    catalog: Catalog,
    hashing: InPostgres,
    parts: Parts,
    task: Task,
) -> int:
    limit(engine, BESIDE_CATALOG)
    # The catalog is still being read, which may have to wait for the server's disk.
    with closing(Parts(Path(task.folder), "listing", parts.bits)) as listed:
        for batch in hashing.rows(engine, listing.placed, ("odd", "position")):
            listed.add(places.as_numbers(batch))
            catalog.check()
    catalog.wait()
    same = 0
    # Both are read ahead, because other files may have displaced them from the system's cache.
    listings = ahead(listed.read_all(), _AHEAD, lambda block: block[1].nbytes)
    with closing(in_memory(task, parts)) as catalogs, closing(listings):
        for catalogued, (index, blocks) in zip(catalogs, groupby(listings, itemgetter(0)), strict=True):
            others, rest = _rest(catalogued, (rows for _, rows in blocks))
            engine.register("part", pa.Table.from_batches(others, places.SCHEMA))
            engine.execute(f"CREATE OR REPLACE VIEW listing AS {_PLACES} FROM part")
            engine.register("catalog", pa.Table.from_batches(rest, copied_hashes.SCHEMA))
            engine.execute(f"{'INSERT INTO found' if index else 'CREATE TABLE found AS'} {STATEMENT}")
            same += catalogued.same
    _read_details(engine, listing, task)
    return same


def _rest(
    catalogued: Catalogued, listing: Iterator[Numbers]
) -> tuple[list[pa.RecordBatch], list[pa.RecordBatch]]:
    """The rows of both that have to be joined: all, if the part is larger than expected."""
    if not catalogued.fits:
        every = [places.as_batch(rows) for rows in listing]
        return every, [copied_hashes.as_batch(rows) for rows in catalogued.pop()]
    others, keys = [], [np.empty(0, np.uint64)]
    for rows in listing:
        differing = rows[catalogued.differing(rows[:, KEY], rows[:, CONTENT], places.are_odd(rows))]
        others.append(places.as_batch(differing))
        keys.append(differing[:, KEY])
    return others, catalogued.rest(np.concatenate(keys))


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


def _join_places(engine: duckdb.DuckDBPyConnection, listing: Listing, hashing: Hashing, task: Task) -> None:
    limit(engine, limit_mib(task, twice=True))
    rows = hashing.listing(engine, listing.placed, ("odd", "position"))
    engine.execute(f"CREATE VIEW listing AS {_PLACES} FROM ({rows})")
    engine.execute(f"CREATE TABLE found AS {STATEMENT}")
    _read_details(engine, listing, task)


def _read_details(engine: duckdb.DuckDBPyConnection, listing: Listing, task: Task) -> None:
    """Make the table `differences` of `found`: the columns of many rows are read in several parts."""
    most = limit_mib(task, twice=True)
    limit(engine, most)
    ((number,),) = engine.execute("SELECT count(key_path) FROM found").fetchall()
    parts = max(1, math.ceil(number * _WANTED / (most << 20)))
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
