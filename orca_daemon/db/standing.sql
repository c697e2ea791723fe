-- name: oldest_open
SELECT extract(epoch FROM min(request_time))
FROM orca.recovery_job
WHERE status_id < 3;

-- name: recent_files
SELECT file.status_id, count(*)
FROM orca.recovery_job AS job
JOIN orca.recovery_file AS file
    ON (file.job_id, file.collection_id, file.granule_id) = (job.job_id, job.collection_id, job.granule_id)
WHERE job.status_id < 3 OR job.request_time > now() - interval '1 day'
GROUP BY file.status_id;
