"""ORCA's way to compare: a load into a table, three statements (ORCA contract, sections 4.4, 4.5, 5)."""

import time
from pathlib import Path

from bench.reconcile.case import Case, cursor_of


def orca(case: Case) -> tuple[float, tuple[int, int, int]]:
    """Seconds, and the rows of each report: phantoms, orphans, mismatches."""
    with cursor_of(case.url) as cursor:
        cursor.execute(_PARTITION)
        began = time.monotonic()
        cursor.execute(
            "INSERT INTO orca.reconcile_job (orca_archive_location, status_id, inventory_creation_time, "
            "start_time, last_update) VALUES ('archive', 1, now(), now(), now()) RETURNING id"
        )
        job = cursor.fetchone()[0]
        cursor.execute("TRUNCATE orca.reconcile_s3_object_archive")
        cursor.execute("BEGIN")
        cursor.execute(_IMPORT)
        for file in sorted(Path(case.folder.name, "csv").glob("*.csv.gz")):
            cursor.execute(
                f"COPY s3_import FROM PROGRAM 'gzip -dc {file}' (FORMAT csv, FORCE_NULL (size_in_bytes))"
            )
        cursor.execute(_STORE, (job,))
        cursor.execute("COMMIT")
        cursor.execute("BEGIN")
        counts = []
        for statement in (_PHANTOMS, _ORPHANS, _MISMATCHES):
            cursor.execute(statement, {"job": job})
            counts.append(cursor.rowcount)
        cursor.execute("COMMIT")
        return time.monotonic() - began, (counts[0], counts[1], counts[2])


_PARTITION = """
CREATE TABLE IF NOT EXISTS orca.reconcile_s3_object_archive PARTITION OF orca.reconcile_s3_object (
    CONSTRAINT pk_reconcile_s3_object_archive PRIMARY KEY (key_path),
    CONSTRAINT fk_reconcile_job_archive FOREIGN KEY (job_id) REFERENCES orca.reconcile_job (id)
) FOR VALUES IN ('archive')
"""
_IMPORT = """
CREATE TEMPORARY TABLE s3_import (
    orca_archive_location text, key_path text, junk1 text, is_latest bool, delete_marker bool,
    size_in_bytes bigint, last_update timestamptz, etag text, storage_class text
) ON COMMIT DROP
"""
_STORE = """
INSERT INTO orca.reconcile_s3_object
    (job_id, orca_archive_location, key_path, etag, last_update, size_in_bytes, storage_class, delete_marker)
SELECT
    %s, i.orca_archive_location, i.key_path, '"' || i.etag || '"', i.last_update,
    COALESCE(i.size_in_bytes, 0),
    i.storage_class, i.delete_marker
FROM s3_import i
WHERE i.is_latest
"""
_PHANTOMS = """
INSERT INTO orca.reconcile_phantom_report
SELECT
    %(job)s, g.collection_id, g.cumulus_granule_id, f.name, f.key_path, f.etag, g.last_update,
    f.size_in_bytes, f.storage_class_id
FROM orca.files f
JOIN orca.granules g ON g.id = f.granule_id
LEFT JOIN orca.reconcile_s3_object o
    ON o.orca_archive_location = f.orca_archive_location AND o.key_path = f.key_path
WHERE f.orca_archive_location = 'archive' AND o.key_path IS NULL
"""
_ORPHANS = """
INSERT INTO orca.reconcile_orphan_report
SELECT %(job)s, o.key_path, o.etag, o.last_update, o.size_in_bytes, o.storage_class
FROM orca.reconcile_s3_object o
LEFT JOIN orca.files f
    ON f.orca_archive_location = o.orca_archive_location AND f.key_path = o.key_path
WHERE o.orca_archive_location = 'archive' AND f.key_path IS NULL
"""
_MISMATCHES = """
INSERT INTO orca.reconcile_catalog_mismatch_report
    (job_id, collection_id, granule_id, filename, key_path, cumulus_archive_location, orca_etag, s3_etag,
     orca_last_update, s3_last_update, orca_size_in_bytes, s3_size_in_bytes, orca_storage_class_id,
     s3_storage_class, discrepancy_type)
SELECT
    %(job)s, g.collection_id, g.cumulus_granule_id, f.name, f.key_path, f.cumulus_archive_location, f.etag,
    o.etag,
    g.last_update, o.last_update, f.size_in_bytes, o.size_in_bytes, f.storage_class_id, o.storage_class,
    CONCAT_WS(', ', CASE WHEN f.etag <> o.etag THEN 'etag' END,
        CASE WHEN f.size_in_bytes <> o.size_in_bytes THEN 'size_in_bytes' END,
        CASE WHEN s.value <> o.storage_class THEN 'storage_class' END)
FROM orca.files f
JOIN orca.granules g ON g.id = f.granule_id
JOIN orca.storage_class s ON s.id = f.storage_class_id
JOIN orca.reconcile_s3_object o
    ON o.orca_archive_location = f.orca_archive_location AND o.key_path = f.key_path
WHERE
    f.orca_archive_location = 'archive'
    AND (f.etag <> o.etag OR f.size_in_bytes <> o.size_in_bytes OR s.value <> o.storage_class)
"""
