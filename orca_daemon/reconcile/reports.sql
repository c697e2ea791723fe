-- name: clear_phantoms
DELETE FROM orca.reconcile_phantom_report AS r WHERE r.job_id = :job;

-- name: clear_orphans
DELETE FROM orca.reconcile_orphan_report AS r WHERE r.job_id = :job;

-- name: clear_mismatches
DELETE FROM orca.reconcile_catalog_mismatch_report AS r WHERE r.job_id = :job;

-- name: create_differences
CREATE TEMPORARY TABLE differences (
    kind text NOT NULL,
    file_id bigint,
    key_path text NOT NULL,
    orca_etag text,
    orca_size_in_bytes bigint,
    orca_storage_class text,
    s3_etag text,
    s3_size_in_bytes bigint,
    s3_last_update timestamptz,
    s3_storage_class text,
    discrepancy_type text
) ON COMMIT DROP;

-- name: copy_differences
COPY differences FROM STDIN (FORMAT csv, NULL '\N');

-- name: analyze_differences
ANALYZE differences;

-- name: insert_phantoms
INSERT INTO orca.reconcile_phantom_report (
    job_id, collection_id, granule_id, filename, key_path, orca_etag, orca_last_update, orca_size,
    orca_storage_class_id
)
SELECT
    :job, g.collection_id, g.cumulus_granule_id, f.name, d.key_path, d.orca_etag, g.last_update,
    d.orca_size_in_bytes, s.id
FROM differences AS d
INNER JOIN orca.files AS f ON f.id = d.file_id
INNER JOIN orca.granules AS g ON g.id = f.granule_id
INNER JOIN orca.storage_class AS s ON s.value = d.orca_storage_class
WHERE d.kind = 'phantom';

-- name: insert_orphans
INSERT INTO orca.reconcile_orphan_report (job_id, key_path, etag, last_update, size_in_bytes, storage_class)
SELECT :job, d.key_path, d.s3_etag, d.s3_last_update, d.s3_size_in_bytes, d.s3_storage_class
FROM differences AS d
WHERE d.kind = 'orphan';

-- name: insert_mismatches
INSERT INTO orca.reconcile_catalog_mismatch_report (
    job_id, collection_id, granule_id, filename, key_path, cumulus_archive_location, orca_etag, s3_etag,
    orca_last_update, s3_last_update, orca_size_in_bytes, s3_size_in_bytes, orca_storage_class_id,
    s3_storage_class, discrepancy_type
)
SELECT
    :job, g.collection_id, g.cumulus_granule_id, f.name, d.key_path, f.cumulus_archive_location, d.orca_etag,
    d.s3_etag, g.last_update, d.s3_last_update, d.orca_size_in_bytes, d.s3_size_in_bytes, s.id,
    d.s3_storage_class, d.discrepancy_type
FROM differences AS d
INNER JOIN orca.files AS f ON f.id = d.file_id
INNER JOIN orca.granules AS g ON g.id = f.granule_id
INNER JOIN orca.storage_class AS s ON s.value = d.orca_storage_class
WHERE d.kind = 'mismatch';
