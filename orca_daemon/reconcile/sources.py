"""Where the listing of a task comes from: data files in S3 in three formats, or a table in Postgres."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from orca_daemon.db.session import open_session
from orca_daemon.reconcile.binary import as_parquet, check_parquet
from orca_daemon.reconcile.catalog import attach_stored
from orca_daemon.reconcile.inflate import Inflated, unpacked
from orca_daemon.reconcile.listing import Listing, csv_listing, no_files, parquet, parquet_listing
from orca_daemon.reconcile.protocol import Remote, Statement, Task
from orca_daemon.reconcile.spool import Sign, Spool, counter, fetch

Odd = Sequence[tuple[str, str]]
"""Keys as they stand in the listing, and what is wrong with each."""


class Stream(Protocol):
    """Rows that come while they are read."""

    error: BaseException | None
    """What ended it early."""

    def check(self) -> None:
        """Raise unless all of it was read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingSource:
    """A listing, what it is read from, and how rows of it are found again."""

    listing: Listing
    streams: Sequence[Stream] = ()
    where: Callable[[int], tuple[str, int]] | None = None
    """The file of a line, and the line in it; None where there are no lines."""
    located: Callable[[Odd], Iterable[str]] = lambda odd: (what for _, what in odd)
    """Where rows stand, and what is wrong with each; without the key itself."""


def source_of(
    task: Task,
    engine: duckdb.DuckDBPyConnection,
    stack: ExitStack,
    files: list[Remote],
    arrived: Callable[[int], None],
    sign: Sign,
) -> ListingSource:
    """Fetch what the task's listing is made of.

    Args:
        task: says what it is.
        engine: what will read it.
        stack: closes what has to be closed afterwards.
        files: the data files.
        arrived: called with the bytes of them that are here.
        sign: asks for another URL of a file.
    """
    if task.stored is not None:
        return _stored(task, task.stored, engine, stack)
    most = task.listing_gib << 30
    spool = Spool(Path(task.folder), task.form, task.ca_bundle, most, counter(arrived), sign)
    paths = fetch(files, spool, _PREPARE[task.form])
    names = [file.key for file in files]
    if not files:
        return ListingSource(listing=no_files())
    if task.form == "CSV":
        return _csv(task, stack, list(zip(paths, names, strict=True)), most)
    found = parquet_listing(engine, task.bucket, paths)
    return ListingSource(
        listing=found,
        located=lambda odd: _rows_of(engine, dict(zip(paths, names, strict=True)), found.raw, odd),
    )


def _stored(
    task: Task, statement: Statement, engine: duckdb.DuckDBPyConnection, stack: ExitStack
) -> ListingSource:
    connection = stack.enter_context(closing(open_session(task.database, task.session)))
    connection.autocommit = True
    rows, stream = attach_stored(engine, connection, statement)
    return ListingSource(listing=rows, streams=[stream])


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


def _as_it_is(path: Path, _name: str) -> Path:
    return path


def _checked(path: Path, name: str) -> Path:
    check_parquet(path, name)
    return path


_PREPARE: dict[str, Callable[[Path, str], Path]] = {
    "CSV": _as_it_is,  # it is looked at while it is read
    "Parquet": _checked,
    "ORC": as_parquet,
}


def _lines_of(files: list[tuple[Path, str]], odd: Odd) -> Iterable[str]:
    """By looking for the keys in the text of the files: rows that cannot be compared are few."""
    wanted = {key.encode(): what for key, what in odd}
    for path, name in files:
        line, rest = 1, b""
        for block in unpacked(path, name):
            text = rest + block
            for key in [key for key in wanted if key in text]:
                found = line + text.count(b"\n", 0, text.index(key))
                yield f"{name} line {found}: {wanted.pop(key)}"
            if not wanted:
                return
            cut = text.rfind(b"\n") + 1
            line, rest = line + text.count(b"\n", 0, cut), text[cut:]
    yield from wanted.values()


def _rows_of(
    engine: duckdb.DuckDBPyConnection, files: Mapping[Path, str], raw: str, odd: Odd
) -> Iterable[str]:
    """By asking for the keys again, with the numbers of their rows."""
    wanted = dict(odd)
    rows = parquet(list(files), ", filename = true, file_row_number = true")
    found = engine.execute(
        f"SELECT coalesce({raw}, ''), any_value(filename), any_value(file_row_number) FROM {rows} "
        f"WHERE coalesce({raw}, '') IN (SELECT unnest($keys)) GROUP BY 1",
        {"keys": list(wanted)},
    ).fetchall()
    for key, path, row in found:
        yield f"{files[Path(path)]} row {row + 1}: {wanted.pop(key)}"
    yield from wanted.values()
