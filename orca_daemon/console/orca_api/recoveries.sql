-- name: job
SELECT job.collection_id AS "collectionId", job.granule_id AS "granuleId", status.value AS status
FROM orca.recovery_job AS job
JOIN orca.recovery_status AS status ON status.id = job.status_id
WHERE job.job_id = :job
ORDER BY job.collection_id, job.granule_id
LIMIT :most;

-- name: granule
SELECT
    job.collection_id AS "collectionId",
    job.granule_id AS "granuleId",
    job.job_id AS "asyncOperationId",
    job.request_time AS "requestTime",
    job.completion_time AS "completionTime"
FROM orca.recovery_job AS job
WHERE job.granule_id = :granule AND job.collection_id = :collection
    AND (CAST(:job AS text) IS NULL OR job.job_id = :job)
ORDER BY job.request_time DESC, job.job_id DESC
LIMIT 1;

-- name: files
SELECT
    file.filename AS "fileName",
    file.restore_destination AS "restoreDestination",
    status.value AS status,
    file.error_message AS "errorMessage"
FROM orca.recovery_file AS file
JOIN orca.recovery_status AS status ON status.id = file.status_id
WHERE file.job_id = :job AND file.collection_id = :collection AND file.granule_id = :granule
ORDER BY file.filename DESC
LIMIT :most;
