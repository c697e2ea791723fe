"""Every column of the three reports has the right value."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.reconcile.archive import Filed, Form, Listed
from tests.reconcile.conftest import Bench
from tests.reconcile.ways import WAYS, Way, compared_by

MODIFIED = datetime(2026, 11, 19, 1, 2, 3, 456000, UTC)
UPDATED = datetime(2026, 1, 2, tzinfo=UTC)


def columns(bench: Bench, table: str) -> list[dict[str, Any]]:
    names = [
        name
        for (name,) in bench.archive.rows(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
            "AND column_name <> 'job_id' ORDER BY column_name",
            table,
        )
    ]
    return [
        dict(zip(names, row, strict=True))
        for row in bench.archive.rows(f"SELECT {', '.join(names)} FROM orca.{table}")
    ]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
def test_the_columns_of_the_reports(bench: Bench, form: Form, way: Way) -> None:
    bench.archive.catalog(
        [
            Filed("d/lost.h5", '"e"', 7, "DEEP_ARCHIVE", granule="g-7", collection="C___002"),
            Filed("d/changed.h5", '"e"', 8, "GLACIER", granule="g-8"),
        ]
    )

    with compared_by(way):
        bench.compare(
            [
                Listed("d/changed.h5", "x", 9, "STANDARD", MODIFIED),
                Listed("d/new.h5", "n", None, "GLACIER", MODIFIED),
            ],
            form=form,
        )
    bench.write()

    assert columns(bench, "reconcile_phantom_report") == [
        {
            "collection_id": "C___002",
            "filename": "lost.h5",
            "granule_id": "g-7",
            "key_path": "d/lost.h5",
            "orca_etag": '"e"',
            "orca_last_update": UPDATED,
            "orca_size": 7,
            "orca_storage_class_id": 2,
        }
    ]
    assert columns(bench, "reconcile_orphan_report") == [
        {
            "etag": '"n"',
            "key_path": "d/new.h5",
            "last_update": MODIFIED,
            "size_in_bytes": 0,
            "storage_class": "GLACIER",
        }
    ]
    assert columns(bench, "reconcile_catalog_mismatch_report") == [
        {
            "collection_id": "C___001",
            "cumulus_archive_location": "of-archive",
            "discrepancy_type": "etag, size_in_bytes, storage_class",
            "filename": "changed.h5",
            "granule_id": "g-8",
            "key_path": "d/changed.h5",
            "orca_etag": '"e"',
            "orca_last_update": UPDATED,
            "orca_size_in_bytes": 8,
            "orca_storage_class_id": 1,
            "s3_etag": '"x"',
            "s3_last_update": MODIFIED,
            "s3_size_in_bytes": 9,
            "s3_storage_class": "STANDARD",
        }
    ]
