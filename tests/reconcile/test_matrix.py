"""A table of pairs of a catalog row and a listed object, and the report of each."""

import pytest

from orca_daemon.reconcile.run import Reconciler
from tests.reconcile.archive import Archive, Filed, Form, Listed

CATALOG = [
    Filed("1/same", '"e1"'),
    Filed("2/etag", '"e2"'),
    Filed("3/size", '"e3"'),
    Filed("4/class", '"e4"'),
    Filed("5/all", '"e5"'),
    Filed("6/absent", '"e6"', storage_class="DEEP_ARCHIVE"),
    Filed("7/deleted", '"e7"'),
    Filed("a/with space+plus.h5", '"e8"'),
    Filed("9/unquoted", "e9"),
]
LISTING = [
    Listed("1/same", "e1"),
    Listed("2/etag", "XX"),
    Listed("3/size", "e3", size=11),
    Listed("4/class", "e4", storage_class="STANDARD"),
    Listed("5/all", "YY", size=11, storage_class="DEEP_ARCHIVE"),
    Listed("7/deleted").gone(),
    Listed("a/with space+plus.h5", "e8"),
    Listed("9/unquoted", "e9"),
    Listed("orphan", "o1", size=5),
    Listed("deleted orphan").gone(),
    Listed("1/same", "older", latest=False),
]


@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
async def test_each_pair_is_reported_as_it_should_be(
    archive: Archive, reconciler: Reconciler, form: Form
) -> None:
    archive.catalog(CATALOG)

    outcome = await reconciler.inventory(archive.inventory(LISTING[:5], LISTING[5:], form=form))

    assert archive.mismatches(outcome.job) == {
        "2/etag": "etag",
        "3/size": "size_in_bytes",
        "4/class": "storage_class",
        "5/all": "etag, size_in_bytes, storage_class",
        "9/unquoted": "etag",
    }
    # Unlike ORCA: a deleted object counts as absent, and ORCA reports a mismatch of all columns.
    assert archive.phantoms(outcome.job) == {"6/absent", "7/deleted"}
    # Unlike ORCA: an encoded key matches its row, and a deleted object is not reported as an orphan.
    assert archive.orphans(outcome.job) == {"orphan"}
