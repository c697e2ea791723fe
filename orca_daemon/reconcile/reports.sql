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
    key_path text,
    s3_etag text,
    s3_size_in_bytes bigint,
    s3_last_update timestamptz,
    s3_storage_class text
) ON COMMIT DROP;

-- name: copy_differences
COPY pg_temp.differences FROM STDIN (FORMAT csv, NULL E'\\N');

-- name: analyze_differences
ANALYZE pg_temp.differences;

-- name: insert_phantoms
INSERT INTO orca.reconcile_phantom_report (
    job_id, collection_id, granule_id, filename, key_path, orca_etag, orca_last_update, orca_size,
    orca_storage_class_id
)
SELECT
    :job, g.collection_id, g.cumulus_granule_id, f.name, f.key_path, f.etag, g.last_update, f.size_in_bytes,
    f.storage_class_id
FROM pg_temp.differences AS d
INNER JOIN orca.files AS f ON f.id = d.file_id
INNER JOIN orca.granules AS g ON g.id = f.granule_id
WHERE d.kind = 'phantom';

-- name: insert_orphans
INSERT INTO orca.reconcile_orphan_report (job_id, key_path, etag, last_update, size_in_bytes, storage_class)
SELECT :job, d.key_path, d.s3_etag, d.s3_last_update, d.s3_size_in_bytes, d.s3_storage_class
FROM pg_temp.differences AS d
WHERE d.kind = 'orphan';

-- name: insert_mismatches
INSERT INTO orca.reconcile_catalog_mismatch_report (
    job_id, collection_id, granule_id, filename, key_path, cumulus_archive_location, orca_etag, s3_etag,
    orca_last_update, s3_last_update, orca_size_in_bytes, s3_size_in_bytes, orca_storage_class_id,
    s3_storage_class, discrepancy_type
)
SELECT
    :job, g.collection_id, g.cumulus_granule_id, f.name, f.key_path, f.cumulus_archive_location, f.etag,
    d.s3_etag, g.last_update, d.s3_last_update, f.size_in_bytes, d.s3_size_in_bytes, f.storage_class_id,
    d.s3_storage_class, differs.label
FROM pg_temp.differences AS d
INNER JOIN orca.files AS f ON f.id = d.file_id AND f.key_path = d.key_path
INNER JOIN orca.granules AS g ON g.id = f.granule_id
INNER JOIN orca.storage_class AS s ON s.id = f.storage_class_id
CROSS JOIN LATERAL concat_ws(
    ', ',
    CASE WHEN f.etag <> d.s3_etag THEN 'etag' END,
    CASE WHEN f.size_in_bytes <> d.s3_size_in_bytes THEN 'size_in_bytes' END,
    CASE WHEN s.value <> d.s3_storage_class THEN 'storage_class' END
) AS differs (label)
WHERE d.kind = 'mismatch' AND differs.label <> '';
