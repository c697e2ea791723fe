"""Opens the listing of a task: data files in S3 in three formats, or a table in Postgres."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from orca_daemon.reconcile.binary import as_parquet, check_parquet
from orca_daemon.reconcile.catalog import attach_stored
from orca_daemon.reconcile.catalog_copy import connection_of
from orca_daemon.reconcile.inflate import Inflated, unpacked
from orca_daemon.reconcile.listing import Listing, csv_listing, no_files, parquet, parquet_listing
from orca_daemon.reconcile.protocol import Remote, Sign, Statement, Task
from orca_daemon.reconcile.spool import Spool, fetch

OddRows = Sequence[tuple[str, str]]
"""Keys as the listing has them, each with its problem."""


class Stream(Protocol):
    """Rows that are produced while they are read."""

    error: BaseException | None
    """The error that ended it early."""

    def check(self) -> None:
        """Raise unless all rows were read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingSource:
    """A listing, the streams that it is read from, and functions that locate its rows."""

    listing: Listing
    streams: Sequence[Stream] = ()
    where: Callable[[int], tuple[str, int]] | None = None
    """Maps a line of the listing to its file and the line in it; None if the format has no lines."""
    located: Callable[[OddRows], Iterable[str]] = lambda odd: (problem for _, problem in odd)
    """File, line and problem of each row; without the key itself."""


def source_of(
    task: Task,
    engine: duckdb.DuckDBPyConnection,
    stack: ExitStack,
    files: list[Remote],
    report: Callable[[int], None],
    sign: Sign,
) -> ListingSource:
    """Fetch the data files of the task's listing, or open the stored listing.

    Args:
        task: the task.
        engine: DuckDB, which will read the listing.
        stack: closes streams and connections afterwards.
        files: the data files.
        report: called with the number of bytes fetched so far.
        sign: requests a new URL of a file.
    """
    if task.stored is not None:
        return _stored(task, task.stored, engine, stack)
    most = task.listing_gib << 30
    spool = Spool.of(task, report, sign)
    paths = fetch(files, spool, _PREPARE[task.form])
    names = [file.key for file in files]
    if not files:
        return ListingSource(listing=no_files())
    if task.form == "CSV":
        return _csv(task, stack, list(zip(paths, names, strict=True)), most)
    listing = parquet_listing(engine, task.bucket, paths)
    return ListingSource(
        listing=listing,
        located=lambda odd: _rows_of(engine, dict(zip(paths, names, strict=True)), listing.raw, odd),
    )


def _stored(
    task: Task, statement: Statement, engine: duckdb.DuckDBPyConnection, stack: ExitStack
) -> ListingSource:
    # A connection of its own: that of the catalog is busy with its own COPY at the same time.
    listing, stream = attach_stored(engine, stack.enter_context(connection_of(task)), statement)
    return ListingSource(listing=listing, streams=[stream])


def _csv(task: Task, stack: ExitStack, files: list[tuple[Path, str]], most: int) -> ListingSource:
    stream = Inflated(files, most)
    stream.start()
    stack.callback(stream.close)
    return ListingSource(
        listing=csv_listing(task.columns, task.bucket, stream.path),
        streams=[stream],
        where=stream.where,
        located=lambda odd: _lines_of(files, odd),
    )


def _unchanged(path: Path, _name: str) -> Path:
    return path


def _checked(path: Path, name: str) -> Path:
    check_parquet(path, name)
    return path


_PREPARE: dict[str, Callable[[Path, str], Path]] = {
    "CSV": _unchanged,  # `Inflated` checks it while it is read
    "Parquet": _checked,
    "ORC": as_parquet,
}


def _lines_of(files: list[tuple[Path, str]], odd: OddRows) -> Iterable[str]:
    """File, line and problem of odd rows of CSV.

    The files are searched for the keys once more, only for the few odd rows.
    """
    wanted = {key.encode(): problem for key, problem in odd}
    for path, name in files:
        line, rest = 1, b""
        for block in unpacked(path, name):
            text = rest + block
            for key in [key for key in wanted if key in text]:
                number = line + text.count(b"\n", 0, text.index(key))
                yield f"{name} line {number}: {wanted.pop(key)}"
            if not wanted:
                return
            cut = text.rfind(b"\n") + 1
            line, rest = line + text.count(b"\n", 0, cut), text[cut:]
    yield from wanted.values()


def _rows_of(
    engine: duckdb.DuckDBPyConnection, files: Mapping[Path, str], raw: str, odd: OddRows
) -> Iterable[str]:
    """File, row and problem of odd rows of Parquet; the keys are queried again for their row numbers."""
    wanted = dict(odd)
    rows = parquet(list(files), ", filename = true, file_row_number = true")
    located = engine.execute(
        f"SELECT coalesce({raw}, ''), any_value(filename), any_value(file_row_number) FROM {rows} "
        f"WHERE coalesce({raw}, '') IN (SELECT unnest($keys)) GROUP BY 1",
        {"keys": list(wanted)},
    ).fetchall()
    for key, path, row in located:
        yield f"{files[Path(path)]} row {row + 1}: {wanted.pop(key)}"
    yield from wanted.values()
