"""The reports equal those of a simple comparison of sets, for random catalogs and listings."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from orca_daemon.reconcile.protocol import Compared
from tests.reconcile.archive import CREATED, LONG_AGO, Filed, Form, Listed
from tests.reconcile.conftest import Bench
from tests.reconcile.ways import WAYS, Way, compared_by

WINDOW = 3600.0
KEYS = ["a", "b", "a b", "a+b", "a%20b", "ü/é", 'q"x', "a\nb", "A"]
FORMS: list[Form] = ["CSV", "Parquet", "ORC"]

keys = st.sampled_from(KEYS)
etags = st.sampled_from(["e", "f"])
sizes = st.sampled_from([0, 1])
moments = st.sampled_from([LONG_AGO, CREATED - timedelta(seconds=WINDOW), CREATED])
filed = st.builds(
    Filed,
    keys,
    etags.map(lambda etag: f'"{etag}"'),
    sizes,
    st.sampled_from(["GLACIER", "DEEP_ARCHIVE"]),
    moments,
    st.sampled_from(["C___001", "D___001"]),
    st.sampled_from(["g-1", "g-2"]),
    st.sampled_from(["archive", "another"]),
)
listed = st.builds(
    Listed,
    keys,
    etags,
    st.sampled_from([0, 1, None]),
    st.sampled_from(["GLACIER", "DEEP_ARCHIVE", "STANDARD"]),
)
states = st.sampled_from(["there", "there", "deleted", "old"])
catalogs = st.lists(filed, unique_by=lambda row: (row.bucket, row.key), max_size=12)
listings = st.lists(st.tuples(listed, states), unique_by=lambda row: row[0].key, max_size=9)


def as_listed(row: Listed, state: str) -> list[Listed]:
    """The versions of a key in an inventory."""
    if state == "there":
        return [row, replace(row, etag="older", latest=False)]
    return [row.gone(), replace(row, latest=False)] if state == "deleted" else [replace(row, latest=False)]


def label(row: Filed, result: Listed) -> str:
    differs = {
        "etag": row.etag != f'"{result.etag}"',
        "size_in_bytes": row.size != (result.size or 0),
        "storage_class": row.storage_class != result.storage_class,
    }
    return ", ".join(name for name, yes in differs.items() if yes)


@settings(max_examples=90)
@given(catalogs, listings, st.sampled_from(FORMS), st.sampled_from([0.0, WINDOW]), st.sampled_from(WAYS))
def test_the_reports_are_those_of_a_naive_comparison(
    bench: Bench,
    catalog: list[Filed],
    listing: list[tuple[Listed, str]],
    form: Form,
    window: float,
    way: Way,
) -> None:
    bench.archive.forget()
    bench.archive.catalog(catalog)
    bench.race_window, bench.allow_empty = window, True
    rows = [version for row, state in listing for version in as_listed(row, state)]

    with compared_by(way):
        result = bench.compare(rows[::2], rows[1::2], form=form)
    job = bench.write()

    catalogued = {row.key: row for row in catalog if row.bucket == "archive"}
    listed = {row.key: row for row, state in listing if state == "there"}
    missing = set(catalogued.keys() - listed.keys())
    young = {
        key for key in missing if window and catalogued[key].ingested > CREATED - timedelta(seconds=window)
    }
    labels = {key: label(catalogued[key], listed[key]) for key in catalogued.keys() & listed.keys()}
    assert bench.archive.phantoms(job) == missing - young
    assert bench.archive.orphans(job) == listed.keys() - catalogued.keys()
    assert bench.archive.mismatches(job) == {key: text for key, text in labels.items() if text}
    assert isinstance(result, Compared)
    assert (result.listed, result.catalogued, result.recent) == (len(listed), len(catalogued), len(young))
    assert result.matched == list(labels.values()).count("")
