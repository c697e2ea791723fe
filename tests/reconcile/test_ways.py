"""A listing is compared in one of several ways, depending on the sizes, always with the same result."""

import gzip
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from psycopg2 import sql
from pyarrow import parquet

from orca_daemon.reconcile import catalog_copy, joins, server_hash
from orca_daemon.reconcile.manifest import FIELDS
from orca_daemon.reconcile.protocol import Compared, ComparisonFailure, FailureKind, Task
from orca_daemon.reconcile.server_hash import Hashes
from tests.reconcile.archive import CURRENT_ONLY, Filed, Form, Listed
from tests.reconcile.conftest import Bench
from tests.reconcile.ways import WAYS, Way, compared_by

CATALOG = [Filed("same"), Filed("changed", '"other"'), Filed("gone")]
LISTINGS: dict[str, Sequence[Listed]] = {
    "every kind of difference": [Listed("same"), Listed("changed"), Listed("new")],
    "odd rows, one with a key of the catalog": [Listed("same"), Listed("a\0b"), Listed(""), Listed("")],
    "a key twice, once as in the catalog": [Listed("same"), Listed("same", "other"), Listed("new")],
    "a key twice, never as in the catalog": [Listed("changed"), Listed("changed", "another")],
    "a key twice that the catalog lacks": [Listed("new"), Listed("new"), Listed("new", "another")],
    "an object and its old versions": [Listed("same"), Listed("changed", latest=False), Listed("x").gone()],
    "ETags with and without quotes": [Listed("same", '"e"'), Listed("changed"), Listed("new", '"e"')],
    "a size that no object has": [Listed("same", size=10 + (1 << 56)), Listed("changed"), Listed("gone")],
    "nothing": [],
}


CHOSEN: list[tuple[Form, Way]] = [
    *(("Parquet", way) for way in WAYS[1:]),
    ("CSV", "set aside"),
    ("CSV", "set aside in parts"),
    ("ORC", "set aside in parts"),
]
"""CSV is never read twice: a catalog in parts is joined with it."""


def outcome(bench: Bench, result: Compared | ComparisonFailure) -> tuple[object, ...]:
    """The result and the reports; not the examples of odd rows, which are any of them."""
    if isinstance(result, ComparisonFailure):
        return (result,)
    job, archive = bench.write(), bench.archive
    reports = archive.phantoms(job), archive.orphans(job), archive.mismatches(job)
    return replace(result, not_compared_examples=()), *reports


@pytest.mark.parametrize(("form", "way"), CHOSEN)
@pytest.mark.parametrize("rows", LISTINGS.values(), ids=LISTINGS)
def test_the_result_is_the_same_in_all_ways(
    bench: Bench, form: Form, rows: Sequence[Listed], way: Way
) -> None:
    bench.archive.catalog(CATALOG)
    bench.allow_empty = True
    with compared_by(WAYS[0]):
        small = outcome(bench, bench.compare(rows[::2], rows[1::2], form=form))

    with compared_by(way):
        assert outcome(bench, bench.compare(rows[::2], rows[1::2], form=form)) == small


def test_many_differences_of_a_large_listing_are_read_in_parts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.archive.catalog(CATALOG)
    rows = LISTINGS["every kind of difference"]
    small = outcome(bench, bench.compare(rows, form="Parquet"))
    monkeypatch.setattr(joins, "_WANTED", 1 << 29)

    with compared_by("join, read twice"):
        assert outcome(bench, bench.compare(rows, form="Parquet")) == small


@pytest.mark.parametrize("way", WAYS[2:])
def test_keys_whose_hashes_are_the_same_are_compared_by_other_hashes(
    bench: Bench, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.archive.catalog(CATALOG)
    rows = LISTINGS["every kind of difference"]
    usual = outcome(bench, bench.compare(rows, form="Parquet"))
    copy, hashes, used = catalog_copy._copy, server_hash.hashes, set[str]()

    def first_alike(statement: str, task: Task, where: sql.Composable, **values: sql.Composable) -> Any:
        used.add(str(values))
        if len(used) == 1:
            key = 'pg_catalog.hashtextextended(t.key_path COLLATE "C", {seed})'
            statement = statement.replace(key, "7::bigint")
        return copy(statement, task, where, **values)

    def hashed(texts: pa.StringArray, seeds: Hashes, *, quotes: bool = False) -> Hashes:
        found = hashes(texts, seeds, quotes=quotes)
        return found * 0 + 7 if len(used) == 1 and texts[0].as_py() == rows[0].key else found

    monkeypatch.setattr(catalog_copy, "_copy", first_alike)
    monkeypatch.setattr(server_hash, "hashes", hashed)

    with compared_by(way):
        assert outcome(bench, bench.compare(rows, form="Parquet")) == usual
    assert len(used) == 2


@pytest.mark.parametrize("way", WAYS)
def test_an_odd_row_is_not_taken_for_another_row_of_its_key(bench: Bench, way: Way) -> None:
    """The two differ only in a flag, which is text here."""
    bench.archive.catalog(CATALOG)
    row = Listed("new").values()
    columns = {FIELDS[name]: pa.array([value] * 2) for name, value in row.items() if name in FIELDS}
    flags = {"is_latest": pa.array(["true", "maybe"]), "is_delete_marker": pa.array(["false", "false"])}
    file = io.BytesIO()
    parquet.write_table(pa.table(columns | flags), file)

    with compared_by(way):
        result = bench.compare_bytes(file.getvalue(), "Parquet")

    assert isinstance(result, Compared)
    assert (result.listed, result.orphans, result.not_compared) == (2, 1, 1)


@pytest.mark.parametrize("way", ["join", "set aside", "set aside in parts"])
def test_a_row_of_another_bucket_after_many_good_ones_is_refused(bench: Bench, way: Way) -> None:
    """DuckDB has handed over most rows already when it finds it."""
    bench.archive.catalog(CATALOG)
    row, number = Listed("new").values(), 120_000
    columns = {FIELDS[name]: pa.array([value] * number) for name, value in row.items() if name in FIELDS}
    columns["bucket"] = pa.array(["archive"] * (number - 1) + ["another"])
    columns["key"] = pa.array([f"key {index}" for index in range(number)])
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)

    with compared_by(way):
        result = bench.compare_bytes(file.getvalue(), "Parquet")

    assert isinstance(result, ComparisonFailure)
    assert (result.kind, result.reason) == (
        FailureKind.REJECT,
        "inventory refused: it holds rows of another bucket",
    )


@pytest.mark.parametrize("way", ["join", "set aside", "set aside in parts"])
def test_a_line_that_is_not_csv_after_many_good_ones_is_named(bench: Bench, way: Way) -> None:
    bench.archive.catalog(CATALOG)
    lines = [f'"archive","key {index}","1","2026-11-19","e","GLACIER"' for index in range(120_000)]
    lines[110_000] = '"archive","k"x,"1"'

    with compared_by(way):
        result = bench.compare_bytes(gzip.compress("\n".join(lines).encode(), 1), schema=CURRENT_ONLY)

    assert isinstance(result, ComparisonFailure)
    assert (result.kind, result.reason) == (
        FailureKind.REJECT,
        "inventory refused: the data file data/0 is not sound CSV at line 110001",
    )
