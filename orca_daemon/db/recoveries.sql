-- name: files
-- Indexes of ours serve both branches of the UNION; the primary key serves the join with the files.
WITH watched AS (
    SELECT job_id, collection_id, granule_id FROM orca.recovery_job WHERE status_id < 3
    UNION
    SELECT job_id, collection_id, granule_id FROM orca.recovery_job
    WHERE request_time > now() - interval '1 day'
)
SELECT status.value AS status, count(*) AS files
FROM watched
JOIN orca.recovery_file AS file USING (job_id, collection_id, granule_id)
JOIN orca.recovery_status AS status ON status.id = file.status_id
GROUP BY status.value;

-- name: oldest_open
SELECT extract(epoch FROM min(request_time))::float8 AS requested FROM orca.recovery_job WHERE status_id < 3;

-- name: failed_lately
SELECT count(*) FROM (
    SELECT FROM orca.recovery_file WHERE status_id = 3 AND last_update > now() - interval '1 day' LIMIT :most
) AS file;
