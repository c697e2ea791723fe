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

-- name: create_view
-- The catalog's columns of all rows, which the reports join.
CREATE TEMPORARY VIEW catalogued AS
SELECT
    f.id AS file_id, f.name, f.key_path, f.etag, f.cumulus_archive_location, f.size_in_bytes, f.storage_class_id,
    g.collection_id, g.cumulus_granule_id, g.last_update
FROM orca.files AS f
INNER JOIN orca.granules AS g ON g.id = f.granule_id;

-- name: drop_view
DROP VIEW pg_temp.catalogued;

-- name: exceeds_cache
SELECT
    pg_catalog.pg_table_size('orca.files') + pg_catalog.pg_table_size('orca.granules')
    > pg_catalog.pg_size_bytes(pg_catalog.current_setting('effective_cache_size'));

-- name: create_gathered
CREATE TEMPORARY TABLE catalogued (
    file_id bigint,
    name text,
    key_path text,
    etag text,
    cumulus_archive_location text,
    size_in_bytes bigint,
    storage_class_id int,
    collection_id text,
    cumulus_granule_id text,
    last_update timestamptz
) ON COMMIT DROP;

-- name: bounds
SELECT n.file_id
FROM (
    SELECT d.file_id, row_number() OVER (ORDER BY d.file_id) AS position
    FROM pg_temp.differences AS d
    WHERE d.kind IN ('phantom', 'mismatch')
) AS n
WHERE n.position % :most = 0
ORDER BY n.file_id;

-- name: begin_gathering
-- Only bitmap scans read ahead.  Where the system cannot, the setting is 0, and must be.  Memory for a bitmap that names
-- rows: if it names pages, each of their rows is compared with all ids.
SELECT pg_catalog.set_config('effective_io_concurrency', '32', TRUE)
WHERE pg_catalog.current_setting('effective_io_concurrency')::int BETWEEN 1 AND 31;
SET LOCAL enable_indexscan = off; SET LOCAL enable_seqscan = off; SET LOCAL work_mem = '64MB';

-- name: gather
INSERT INTO pg_temp.catalogued
WITH f AS MATERIALIZED (
    SELECT *
    FROM orca.files AS f
    WHERE f.id = ANY(ARRAY(
        SELECT d.file_id
        FROM pg_temp.differences AS d
        WHERE d.kind IN ('phantom', 'mismatch') AND d.file_id > :after AND d.file_id <= :until
    ))
),

g AS MATERIALIZED (
    SELECT * FROM orca.granules AS g WHERE g.id = ANY(ARRAY(SELECT DISTINCT f.granule_id FROM f))
)

SELECT
    f.id, f.name, f.key_path, f.etag, f.cumulus_archive_location, f.size_in_bytes, f.storage_class_id,
    g.collection_id, g.cumulus_granule_id, g.last_update
FROM f
INNER JOIN g ON g.id = f.granule_id;

-- name: end_gathering
SET LOCAL enable_indexscan TO DEFAULT; SET LOCAL enable_seqscan TO DEFAULT;
SET LOCAL work_mem TO DEFAULT; SET LOCAL effective_io_concurrency TO DEFAULT;
ANALYZE pg_temp.catalogued;

-- name: insert_phantoms
INSERT INTO orca.reconcile_phantom_report (
    job_id, collection_id, granule_id, filename, key_path, orca_etag, orca_last_update, orca_size,
    orca_storage_class_id
)
SELECT
    :job, c.collection_id, c.cumulus_granule_id, c.name, c.key_path, c.etag, c.last_update, c.size_in_bytes,
    c.storage_class_id
FROM pg_temp.differences AS d
INNER JOIN pg_temp.catalogued AS c ON c.file_id = d.file_id
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
    :job, c.collection_id, c.cumulus_granule_id, c.name, c.key_path, c.cumulus_archive_location, c.etag,
    d.s3_etag, c.last_update, d.s3_last_update, c.size_in_bytes, d.s3_size_in_bytes, c.storage_class_id,
    d.s3_storage_class, differs.label
FROM pg_temp.differences AS d
INNER JOIN pg_temp.catalogued AS c ON c.file_id = d.file_id AND c.key_path = d.key_path
INNER JOIN orca.storage_class AS s ON s.id = c.storage_class_id
CROSS JOIN LATERAL concat_ws(
    ', ',
    CASE WHEN c.etag <> d.s3_etag THEN 'etag' END,
    CASE WHEN c.size_in_bytes <> d.s3_size_in_bytes THEN 'size_in_bytes' END,
    CASE WHEN s.value <> d.s3_storage_class THEN 'storage_class' END
) AS differs (label)
WHERE d.kind = 'mismatch' AND differs.label <> '';

-- name: jobs
SELECT
    j.id,
    j.orca_archive_location AS bucket,
    s.value AS status,
    j.inventory_creation_time,
    j.start_time,
    j.last_update,
    j.end_time,
    j.error_message,
    (SELECT count(*) FROM orca.reconcile_phantom_report AS r WHERE r.job_id = j.id) AS phantom,
    (SELECT count(*) FROM orca.reconcile_orphan_report AS r WHERE r.job_id = j.id) AS orphan,
    (SELECT count(*) FROM orca.reconcile_catalog_mismatch_report AS r WHERE r.job_id = j.id) AS mismatch
FROM orca.reconcile_job AS j
INNER JOIN orca.reconcile_status AS s ON s.id = j.status_id
WHERE
    (CAST(:bucket AS text) IS NULL OR j.orca_archive_location = :bucket)
    AND (CAST(:job AS bigint) IS NULL OR j.id = :job)
ORDER BY j.inventory_creation_time DESC, j.id DESC
LIMIT :limit;

-- name: latest
SELECT
    j.bucket,
    extract(EPOCH FROM j.end_time)::float8 AS finished,
    (SELECT count(*) FROM orca.reconcile_phantom_report AS r WHERE r.job_id = j.id) AS phantom,
    (SELECT count(*) FROM orca.reconcile_orphan_report AS r WHERE r.job_id = j.id) AS orphan,
    (SELECT count(*) FROM orca.reconcile_catalog_mismatch_report AS r WHERE r.job_id = j.id) AS mismatch
FROM (
    SELECT DISTINCT ON (orca_archive_location) id, orca_archive_location AS bucket, end_time
    FROM orca.reconcile_job
    WHERE status_id = :success AND end_time IS NOT NULL
    ORDER BY orca_archive_location, inventory_creation_time DESC, id DESC
) AS j;

-- name: phantom
SELECT
    r.key_path, r.collection_id, r.granule_id, r.filename, r.orca_etag, r.orca_last_update,
    r.orca_size AS orca_size_in_bytes, s.value AS orca_storage_class
FROM orca.reconcile_phantom_report AS r
INNER JOIN orca.storage_class AS s ON s.id = r.orca_storage_class_id
WHERE r.job_id = :job
ORDER BY r.collection_id, r.granule_id, r.key_path
LIMIT :limit;

-- name: orphan
SELECT r.key_path, r.etag AS s3_etag, r.last_update AS s3_last_update, r.size_in_bytes AS s3_size_in_bytes,
    r.storage_class AS s3_storage_class
FROM orca.reconcile_orphan_report AS r
WHERE r.job_id = :job
ORDER BY r.key_path
LIMIT :limit;

-- name: mismatch
SELECT
    r.key_path, r.discrepancy_type, r.collection_id, r.granule_id, r.filename, r.cumulus_archive_location,
    r.orca_etag, r.s3_etag, r.orca_last_update, r.s3_last_update, r.orca_size_in_bytes, r.s3_size_in_bytes,
    s.value AS orca_storage_class, r.s3_storage_class,
    j.inventory_creation_time <= r.orca_last_update
    OR j.inventory_creation_time <= r.s3_last_update AS may_be_a_race
FROM orca.reconcile_catalog_mismatch_report AS r
INNER JOIN orca.reconcile_job AS j ON j.id = r.job_id
INNER JOIN orca.storage_class AS s ON s.id = r.orca_storage_class_id
WHERE r.job_id = :job
ORDER BY r.collection_id, r.granule_id, r.key_path
LIMIT :limit;
