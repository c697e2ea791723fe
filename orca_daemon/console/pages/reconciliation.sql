-- name: jobs
SELECT
    job.id, job.orca_archive_location AS bucket, status.value AS status, job.status_id, job.inventory_creation_time, job.start_time,
    job.last_update, job.end_time, job.error_message
FROM orca.reconcile_job AS job
JOIN orca.reconcile_status AS status ON status.id = job.status_id
WHERE (job.inventory_creation_time, job.id) < (:time, :id)
    AND (CAST(:bucket AS text) IS NULL OR job.orca_archive_location = :bucket)
    AND (CAST(:status AS int) IS NULL OR job.status_id = :status OR :status = 1 AND job.status_id < 4)
ORDER BY job.inventory_creation_time DESC, job.id DESC
LIMIT :limit;

-- name: job
SELECT
    job.id, job.orca_archive_location AS bucket, status.value AS status, job.status_id, job.inventory_creation_time, job.start_time,
    job.last_update, job.end_time, job.error_message
FROM orca.reconcile_job AS job
JOIN orca.reconcile_status AS status ON status.id = job.status_id
WHERE job.id = :job;

-- name: newest
-- The newest comparisons of each bucket that succeeded, and the newest of all, whatever its state.
SELECT bucket.name AS bucket, job.*
FROM (SELECT DISTINCT orca_archive_location AS name FROM orca.reconcile_job) AS bucket
CROSS JOIN LATERAL (
    SELECT id, status_id, inventory_creation_time, end_time
    FROM orca.reconcile_job
    WHERE orca_archive_location = bucket.name
    ORDER BY inventory_creation_time DESC, id DESC
    LIMIT :each
) AS job
ORDER BY bucket.name, job.inventory_creation_time, job.id;

-- name: counts
-- Rows of each report, counted up to `most`.
SELECT
    job.id,
    (SELECT count(*) FROM (SELECT FROM orca.reconcile_phantom_report WHERE job_id = job.id LIMIT :most) AS row) AS phantom,
    (SELECT count(*) FROM (SELECT FROM orca.reconcile_orphan_report WHERE job_id = job.id LIMIT :most) AS row) AS orphan,
    (SELECT count(*) FROM (SELECT FROM orca.reconcile_catalog_mismatch_report WHERE job_id = job.id LIMIT :most) AS row) AS mismatch
FROM unnest(CAST(:jobs AS bigint[])) AS job (id);

-- name: shares
-- Which part of a report's rows belongs to a job, from the statistics: for jobs with more rows than are counted.
SELECT stats.tablename, class.reltuples::bigint AS rows, stats.most_common_vals::text AS jobs, stats.most_common_freqs AS shares
FROM pg_catalog.pg_stats AS stats
JOIN pg_catalog.pg_class AS class ON class.oid = to_regclass('orca.' || stats.tablename)
WHERE stats.schemaname = 'orca' AND stats.attname = 'job_id' AND stats.tablename IN (
        'reconcile_phantom_report', 'reconcile_orphan_report', 'reconcile_catalog_mismatch_report'
    );

-- name: phantom
SELECT
    report.collection_id, report.granule_id, report.key_path, report.filename, report.orca_etag, report.orca_last_update,
    report.orca_size AS orca_size_in_bytes, class.value AS orca_storage_class
FROM orca.reconcile_phantom_report AS report
JOIN orca.storage_class AS class ON class.id = report.orca_storage_class_id
WHERE report.job_id = :job
    AND (report.collection_id, report.granule_id, report.key_path) > (:collection, :granule, :key)
    AND (CAST(:only AS text) IS NULL OR report.collection_id = :only)
    AND (CAST(:text AS text) IS NULL OR position(:text IN report.key_path) > 0 OR report.granule_id = :text)
ORDER BY report.collection_id, report.granule_id, report.key_path
LIMIT :limit;

-- name: orphan
SELECT
    report.key_path, report.etag AS s3_etag, report.last_update AS s3_last_update, report.size_in_bytes AS s3_size_in_bytes,
    report.storage_class AS s3_storage_class
FROM orca.reconcile_orphan_report AS report
WHERE report.job_id = :job AND report.key_path > :key
    AND (CAST(:only AS text) IS NULL OR starts_with(report.key_path, :only || '/'))
    AND (CAST(:text AS text) IS NULL OR position(:text IN report.key_path) > 0)
    AND :collection = '' AND :granule = ''
ORDER BY report.key_path
LIMIT :limit;

-- name: mismatch
SELECT
    report.collection_id, report.granule_id, report.key_path, report.filename, report.discrepancy_type,
    report.cumulus_archive_location, report.orca_etag, report.s3_etag, report.orca_last_update, report.s3_last_update,
    report.orca_size_in_bytes, report.s3_size_in_bytes, class.value AS orca_storage_class, report.s3_storage_class
FROM orca.reconcile_catalog_mismatch_report AS report
JOIN orca.storage_class AS class ON class.id = report.orca_storage_class_id
WHERE report.job_id = :job
    AND (report.collection_id, report.granule_id, report.key_path) > (:collection, :granule, :key)
    AND (CAST(:only AS text) IS NULL OR report.collection_id = :only)
    AND (CAST(:text AS text) IS NULL OR position(:text IN report.key_path) > 0 OR report.granule_id = :text)
ORDER BY report.collection_id, report.granule_id, report.key_path
LIMIT :limit;
