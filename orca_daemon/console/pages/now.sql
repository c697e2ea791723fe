-- name: failed_files
SELECT count(*) AS files FROM (
    SELECT FROM orca.recovery_file WHERE status_id = 3 AND last_update > now() - interval '1 day' LIMIT :most
) AS file;

-- name: open
SELECT count(*) AS granules FROM (SELECT FROM orca.recovery_job WHERE status_id < 3 LIMIT :most) AS granule;

-- name: failed_comparisons
SELECT newest.bucket
FROM (
    SELECT DISTINCT ON (orca_archive_location) orca_archive_location AS bucket, status_id
    FROM orca.reconcile_job
    ORDER BY orca_archive_location, inventory_creation_time DESC, id DESC
) AS newest
WHERE newest.status_id = 4
ORDER BY newest.bucket
LIMIT 5;
