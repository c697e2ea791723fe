"""The catalog is read by several connections under one snapshot, in Postgres's binary format, completely."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest

from orca_daemon.db import ranges
from orca_daemon.db import readers as readers_module
from orca_daemon.reconcile import catalog_stream, copied_hashes, copied_rows, hash_agreement, held, set_aside
from orca_daemon.reconcile.binary_copy import UnreadableError, without_frame
from orca_daemon.reconcile.protocol import Compared, ComparisonFailure
from tests.reconcile.archive import Filed, Listed
from tests.reconcile.conftest import Bench

ROWS = 400
SECONDS = 30


@dataclass
class Copies:
    """The parts that were read, by the process of the server that read them."""

    by_process: dict[int, int] = field(default_factory=dict)
    before: Callable[[Any], None] = lambda _: None
    """Called with each session, in the reading thread, before each part."""


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Copies:
    """Makes each page a part of its own, and each connection wait for the other before its first part."""
    copies, lock, together = Copies(), threading.Lock(), threading.Barrier(2)
    monkeypatch.setattr(ranges, "PAGES", 1)
    copy = catalog_stream.CatalogStream._copy

    def watched(stream: Any, session: Any, part: Any) -> None:
        process = session.info.backend_pid
        with lock:
            first = process not in copies.by_process
            copies.by_process[process] = copies.by_process.get(process, 0) + 1
        if first and len(stream._threads) > 1:
            together.wait(SECONDS)
        copies.before(session)
        copy(stream, session, part)

    monkeypatch.setattr(catalog_stream.CatalogStream, "_copy", watched)
    return copies


def _archived(bench: Bench) -> list[Listed]:
    """A catalog of some pages, with ETags of several lengths; returns the same as a listing."""
    etags = [f"{number:x}" + "e" * (number % 5) for number in range(ROWS)]
    bench.archive.catalog(
        Filed(f"granule/{number:04}.nc", f'"{etags[number]}"', number) for number in range(ROWS)
    )
    bench.archive.execute("ANALYZE orca.files")
    return [Listed(f"granule/{number:04}.nc", etags[number], number) for number in range(ROWS)]


@pytest.fixture(params=["Postgres", "DuckDB"])
def hashed_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who hashes the catalog."""
    if request.param == "DuckDB":
        monkeypatch.setattr(hash_agreement, "agrees", lambda _: False)
    return str(request.param)


@pytest.mark.usefixtures("hashed_by")
def test_two_connections_read_each_row_once(bench: Bench, copies: Copies) -> None:
    listed = _archived(bench)

    result = bench.compare(listed)

    assert isinstance(result, Compared)
    assert (result.catalogued, result.matched) == (ROWS, ROWS)
    assert len(copies.by_process) == 2
    (pages,) = bench.archive.rows("SELECT pg_relation_size('orca.files') / 8192")[0]
    assert sum(copies.by_process.values()) == pages > 2


@pytest.mark.usefixtures("hashed_by")
def test_both_connections_see_the_catalog_of_one_moment(bench: Bench, copies: Copies) -> None:
    listed = _archived(bench)
    # Rows move to other pages while parts are read: without one snapshot they would be read twice, or never.
    copies.before = lambda _: bench.archive.execute("UPDATE orca.files SET version = version || 'x'")

    result = bench.compare(listed)

    assert isinstance(result, Compared)
    assert (result.catalogued, result.matched) == (ROWS, ROWS)


def test_behind_a_server_that_shares_no_snapshot_one_connection_reads(
    bench: Bench, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "OLDEST_SERVER", 990_000)

    result = bench.compare(_archived(bench))

    assert isinstance(result, Compared)
    assert len(copies.by_process) == 1
    assert result.matched == ROWS


@pytest.mark.usefixtures("hashed_by")
def test_a_connection_that_is_lost_ends_the_comparison_and_leaves_no_thread(
    bench: Bench, copies: Copies
) -> None:
    listed, ended = _archived(bench), threading.Event()

    def end(session: Any) -> None:
        if not ended.is_set():
            ended.set()
            bench.archive.execute("SELECT pg_terminate_backend(%s)", session.info.backend_pid)

    copies.before = end

    result = bench.compare(listed)

    assert isinstance(result, ComparisonFailure)
    assert result.kind == "sql"
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("catalog")] == []


def _field(value: bytes | None) -> bytes:
    return b"\xff" * 4 if value is None else len(value).to_bytes(4, "big") + value


def _row(*fields: bytes | None) -> bytes:
    return len(fields).to_bytes(2, "big") + b"".join(map(_field, fields))


GOOD = _row(
    (7).to_bytes(8, "big"), (9).to_bytes(8, "big"), (-2).to_bytes(2, "big", signed=True), b"e", b"key"
)


def _read(rows: list[bytes]) -> list[dict[str, Any]]:
    def all_batches() -> Iterator[pa.RecordBatch]:
        yield from copied_rows.batches(rows)

    return [row for batch in all_batches() for row in batch.to_pylist()]


def test_a_row_is_read_as_postgres_sends_it() -> None:
    signed = b"PGCOPY\n\xff\r\n\0" + bytes(8) + GOOD
    assert _read([signed, b"\xff\xff"]) == [
        {"id": 7, "size_in_bytes": 9, "storage_class_id": -2, "etag": "e", "key_path": "key"}
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            _row(None, bytes(8), bytes(2), b"e", b"key"),
            "a row of the catalog has no id, size or storage class",
        ),
        (
            _row(bytes(8), bytes(8), None, b"e", b"key"),
            "a row of the catalog has no id, size or storage class",
        ),
        (_row(bytes(8), bytes(8), bytes(2), b"e", b"\xff"), "key_path holds text that is not UTF-8"),
        (b"\0\5", "rows of the catalog are cut off"),
    ],
    ids=["no id", "no storage class", "not UTF-8", "cut off"],
)
def test_a_row_that_cannot_be_read_is_an_error_that_quotes_nothing(row: bytes, problem: str) -> None:
    with pytest.raises(UnreadableError) as failure:
        _read([GOOD, row])
    assert str(failure.value).removeprefix("the catalog cannot be read: ") == problem


def _sums(count: int | None, numbers: bytes | None) -> bytes:
    return _row(None if count is None else count.to_bytes(8, "big"), numbers)


SIGNED = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def test_hashes_are_read_as_postgres_sends_them() -> None:
    numbers = b"".join(
        value.to_bytes(8, "big", signed=value < 0) for value in (7, 2**64 - 1, 1, -(2**40), 0, 2)
    )
    rows = [SIGNED + _sums(2, numbers), _sums(0, None), b"\xff\xff"]
    first, second = map(copied_hashes.numbers_of, without_frame(rows))
    assert copied_hashes.as_batch(first).to_pylist() == [
        {"id": 7, "recent": False, "key_hash": 2**64 - 1, "content_hash": 1},
        {"id": 2**40, "recent": True, "key_hash": 0, "content_hash": 2},
    ]
    assert second.shape == (0, 3)


@pytest.mark.parametrize(
    "row",
    [_sums(2, bytes(24)), _sums(1, None), _sums(None, bytes(24)), _sums(1, bytes(23)), b"\0\2", b""],
    ids=["a null", "all null", "no count", "a byte less", "cut off", "empty"],
)
def test_hashes_that_are_incomplete_are_an_error(row: bytes) -> None:
    with pytest.raises(UnreadableError, match="a row of the catalog has no id, key, ETag"):
        copied_hashes.numbers_of(row)


@pytest.mark.parametrize("column", ["key_path", "etag", "size_in_bytes", "storage_class_id"])
def test_a_null_in_the_catalog_ends_the_comparison(bench: Bench, copies: Copies, column: str) -> None:
    listed = _archived(bench)
    bench.archive.execute(f"ALTER TABLE orca.files ALTER COLUMN {column} DROP NOT NULL")
    bench.archive.execute(
        f"UPDATE orca.files SET {column} = NULL WHERE id = (SELECT max(id) FROM orca.files)"
    )

    result = bench.compare(listed)

    assert isinstance(result, ComparisonFailure)
    assert result.reason == "a row of the catalog has no id, key, ETag, size or storage class"
    assert copies.by_process


def test_ids_that_are_not_positive_leave_the_hashing_to_duckdb(bench: Bench, copies: Copies) -> None:
    listed = _archived(bench)
    bench.archive.execute("UPDATE orca.files SET id = -id WHERE id = (SELECT min(id) FROM orca.files)")

    result = bench.compare([*listed[1:], Listed("granule/0000.nc", "other", 0)])

    assert isinstance(result, Compared)
    assert (result.matched, result.mismatched, result.recent) == (ROWS - 1, 1, 0)
    assert copies.by_process


def test_a_bucket_whose_rows_are_late_in_the_table_is_divided_into_enough_parts(
    bench: Bench, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.archive.catalog(Filed(f"older/{number}", bucket="another") for number in range(2000))
    listed, expected = _archived(bench), []
    divide = held.Held._divide

    def divided(rows: held.Held, stack: ExitStack, most: int) -> None:
        expected.append(most)
        divide(rows, stack, most)

    monkeypatch.setattr(held.Held, "_divide", divided)
    monkeypatch.setattr(set_aside, "_ROW", 20 << 20)  # room for some rows
    monkeypatch.setattr(ranges, "_reads_whole", lambda *_: True)  # the planner prefers an index here

    result = bench.compare(listed, form="Parquet")

    assert isinstance(result, Compared)
    assert result.matched == ROWS
    assert expected
    assert expected[0] >= ROWS
