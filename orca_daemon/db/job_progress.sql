-- name: files
SELECT
    count(*) FILTER (WHERE status_id = 1) AS pending,
    count(*) FILTER (WHERE status_id = 2) AS staged,
    count(*) FILTER (WHERE status_id = 3) AS failed,
    count(*) FILTER (WHERE status_id = 4) AS success,
    min(request_time) AS requested,
    max(last_update) AS last_update,
    clock_timestamp() AS read_at
FROM orca.recovery_file
WHERE job_id = :job;

-- name: bytes
-- The size is what the restore was asked with, else that of the catalog.
SELECT
    count(known.size) AS sized,
    coalesce(sum(known.size), 0)::bigint AS total,
    coalesce(sum(known.size) FILTER (WHERE known.status_id = 3), 0)::bigint AS failed,
    coalesce(sum(known.size) FILTER (WHERE known.status_id = 4), 0)::bigint AS copied
FROM (
    SELECT file.status_id, coalesce(restore.size_in_bytes, archived.size_in_bytes) AS size
    FROM orca.recovery_file AS file
    JOIN orca.recovery_job AS granule USING (job_id, collection_id, granule_id)
    LEFT JOIN orca.orca_daemon_restore AS restore USING (job_id, collection_id, granule_id, filename)
    LEFT JOIN orca.files AS archived
        ON restore.job_id IS NULL
        AND archived.orca_archive_location = granule.archive_destination AND archived.key_path = file.key_path
    WHERE file.job_id = :job
) AS known;
