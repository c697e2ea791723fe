"""A listing that is too large for memory is read twice, with the same result."""

import io
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pytest
from pyarrow import parquet

from orca_daemon.reconcile import compare
from orca_daemon.reconcile.manifest import FIELDS
from orca_daemon.reconcile.protocol import Compared, ComparisonFailure
from tests.reconcile.archive import Filed, Form, Listed
from tests.reconcile.conftest import Bench

CATALOG = [Filed("same"), Filed("changed", '"other"'), Filed("gone")]
LISTINGS: dict[str, Sequence[Listed]] = {
    "every kind of difference": [Listed("same"), Listed("changed"), Listed("new")],
    "odd rows, one with a key of the catalog": [Listed("same"), Listed("a\0b"), Listed(""), Listed("")],
    "a key twice, once as in the catalog": [Listed("same"), Listed("same", "other"), Listed("new")],
    "a key twice, never as in the catalog": [Listed("changed"), Listed("changed", "another")],
    "a key twice that the catalog lacks": [Listed("new"), Listed("new"), Listed("new", "another")],
    "an object and its old versions": [Listed("same"), Listed("changed", latest=False), Listed("x").gone()],
    "nothing": [],
}


@pytest.fixture(params=["Parquet", "ORC"])
def form(request: pytest.FixtureRequest) -> Form:
    """The formats that are read twice."""
    chosen: Form = request.param
    return chosen


def outcome(bench: Bench, result: Compared | ComparisonFailure) -> tuple[object, ...]:
    """The result and the reports; not the examples of odd rows, which are any of them."""
    if isinstance(result, ComparisonFailure):
        return (result,)
    job, archive = bench.write(), bench.archive
    reports = archive.phantoms(job), archive.orphans(job), archive.mismatches(job)
    return replace(result, not_compared_examples=()), *reports


@pytest.mark.parametrize("wanted", [400, 1 << 29], ids=["in one part", "in several parts"])
@pytest.mark.parametrize("rows", LISTINGS.values(), ids=LISTINGS)
def test_the_result_is_that_of_a_small_listing(
    bench: Bench, form: Form, rows: Sequence[Listed], wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.archive.catalog(CATALOG)
    bench.allow_empty = True
    small = outcome(bench, bench.compare(rows[::2], rows[1::2], form=form))

    monkeypatch.setattr(compare, "_ROW", 1 << 40)
    monkeypatch.setattr(compare, "_WANTED", wanted)

    assert outcome(bench, bench.compare(rows[::2], rows[1::2], form=form)) == small


def test_an_odd_row_is_not_taken_for_another_row_of_its_key(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two differ only in a flag, which is text here."""
    bench.archive.catalog(CATALOG)
    row = Listed("new").values()
    columns = {FIELDS[name]: pa.array([value] * 2) for name, value in row.items() if name in FIELDS}
    flags = {"is_latest": pa.array(["true", "maybe"]), "is_delete_marker": pa.array(["false", "false"])}
    file = io.BytesIO()
    parquet.write_table(pa.table(columns | flags), file)
    monkeypatch.setattr(compare, "_ROW", 1 << 40)

    result = bench.compare_bytes(file.getvalue(), "Parquet")

    assert isinstance(result, Compared)
    assert (result.listed, result.orphans, result.not_compared) == (2, 1, 1)
