-- name: tables
SELECT to_regclass('orca.orca_daemon_dead_letter') IS NOT NULL;

-- name: files
-- The index of failed files serves the time; files that failed with one text are one row.
SELECT left(coalesce(error_message, ''), :longest) AS text, count(*) AS count, min(last_update) AS first,
    max(last_update) AS last, min(job_id) AS example
FROM orca.recovery_file
WHERE status_id = 3 AND last_update >= :since
GROUP BY 1;

-- name: reports
SELECT left(coalesce(error_message, ''), :longest) AS text, count(*) AS count, min(last_update) AS first,
    max(last_update) AS last, max(id)::text AS example
FROM orca.reconcile_job
WHERE status_id = 4 AND last_update >= :since
GROUP BY 1;

-- name: dead_letters
SELECT left(reason, :longest) AS text, count(*) AS count, min(dead_lettered_at) AS first,
    max(dead_lettered_at) AS last, min(id) AS example, queue, jsonb_exists(facts, 'tables') AS export
FROM orca.orca_daemon_dead_letter
WHERE redriven_at IS NULL AND deleted_at IS NULL AND dead_lettered_at >= :since
GROUP BY 1, 6, 7;

-- name: failed_files
-- In the order of failure, so that what fails again meanwhile comes after `before` and is not read.
SELECT
    file.collection_id, file.granule_id, file.filename, file.status_id, file.error_message, file.request_time,
    file.last_update, file.completion_time, granule.archive_destination, file.key_path, file.restore_destination,
    file.multipart_chunksize_mb, file.job_id
FROM orca.recovery_file AS file
JOIN orca.recovery_job AS granule USING (job_id, collection_id, granule_id)
WHERE file.status_id = 3 AND file.last_update >= :since AND file.last_update < :before
    AND (file.last_update, file.job_id, file.collection_id, file.granule_id, file.filename)
        > (:last_update, :job_id, :collection_id, :granule_id, :filename)
ORDER BY file.last_update, file.job_id, file.collection_id, file.granule_id, file.filename
LIMIT :limit;
