"""The SQL of the comparison is portable: Postgres runs the same text with the same result."""

from pathlib import Path

from orca_daemon import reconcile
from tests.reconcile.archive import Archive

TEXT = Path(reconcile.__file__).with_name("compare.sql").read_text("utf-8")
TABLES = """
CREATE TEMP VIEW catalog AS
SELECT id, md5(key) AS key_hash, content_hash, recent FROM (VALUES
    (1, 'same', 1, false),
    (2, 'changed', 1, false),
    (3, 'lost', 1, false),
    (4, 'young', 1, true)
) AS row (id, key, content_hash, recent);
CREATE TEMP VIEW listing AS SELECT md5(key_path) AS key_hash, * FROM (VALUES
    ('same', 1, '"e"', 1, '2026', 'GLACIER', NULL),
    ('changed', 2, '"f"', 2, '2026', 'GLACIER', NULL),
    ('new', 1, '"e"', 1, '2026', 'GLACIER', NULL),
    ('a%%00b', 1, '"e"', 1, '2026', 'GLACIER', 'nul')
) AS row (key_path, content_hash, etag, size_in_bytes, last_update, storage_class, odd);
"""


def test_postgres_runs_the_comparison_too(archive: Archive) -> None:
    archive.execute(TABLES)

    found = archive.rows(f"SELECT kind, file_id, key_path, times FROM ({TEXT}) AS found ORDER BY kind")

    assert found == [
        ("match", None, None, 1),
        ("mismatch", 2, "changed", 1),
        ("odd", None, "a%00b", 1),
        ("orphan", None, "new", 1),
        ("phantom", 3, None, 1),
        ("recent", None, None, 1),
    ]
