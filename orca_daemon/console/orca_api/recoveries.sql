-- name: job
SELECT job.collection_id AS "collectionId", job.granule_id AS "granuleId", status.value AS status
FROM orca.recovery_job AS job
JOIN orca.recovery_status AS status ON status.id = job.status_id
WHERE job.job_id = :job
ORDER BY job.collection_id, job.granule_id
LIMIT :most;

-- name: granule
-- One row for each file; one without a file name if there are no files.
SELECT
    job.collection_id AS "collectionId",
    job.granule_id AS "granuleId",
    job.job_id AS "asyncOperationId",
    job.request_time AS "requestTime",
    job.completion_time AS "completionTime",
    file.filename AS "fileName",
    file.restore_destination AS "restoreDestination",
    status.value AS status,
    file.error_message AS "errorMessage"
FROM (
    SELECT *
    FROM orca.recovery_job
    WHERE granule_id = :granule AND collection_id = :collection AND (CAST(:job AS text) IS NULL OR job_id = :job)
    ORDER BY request_time DESC, job_id DESC
    LIMIT 1
) AS job
LEFT JOIN orca.recovery_file AS file USING (job_id, collection_id, granule_id)
LEFT JOIN orca.recovery_status AS status ON status.id = file.status_id
ORDER BY file.filename DESC
LIMIT :most;
