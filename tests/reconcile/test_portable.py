"""The comparison is SQL of no one database: Postgres runs the same text and finds the same."""

from pathlib import Path

from orca_daemon import reconcile
from tests.reconcile.archive import Archive

TEXT = Path(reconcile.__file__).with_name("compare.sql").read_text("utf-8")
TABLES = """
CREATE TEMP VIEW catalog AS SELECT * FROM (VALUES
    (1, 'same', '"e"', 1::bigint, 'GLACIER', false),
    (2, 'changed', '"e"', 1, 'GLACIER', false),
    (3, 'lost', '"e"', 1, 'GLACIER', false),
    (4, 'young', '"e"', 1, 'GLACIER', true)
) AS row (id, key_path, etag, size_in_bytes, storage_class, recent);
CREATE TEMP VIEW listing AS SELECT * FROM (VALUES
    ('same', '"e"', 1::bigint, '2026', 'GLACIER'),
    ('changed', '"f"', 2, '2026', 'GLACIER'),
    ('new', '"e"', 1, '2026', 'GLACIER')
) AS row (key_path, etag, size_in_bytes, last_update, storage_class);
"""


def test_postgres_runs_the_comparison_too(archive: Archive) -> None:
    archive.execute(TABLES)

    found = archive.rows(
        f"SELECT kind, key_path, discrepancy_type, times FROM ({TEXT}) AS found ORDER BY kind"
    )

    assert found == [
        ("match", None, None, 1),
        ("mismatch", "changed", "etag, size_in_bytes", 1),
        ("orphan", "new", None, 1),
        ("phantom", "lost", None, 1),
        ("recent", None, None, 1),
    ]
