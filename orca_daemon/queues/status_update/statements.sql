-- name: insert_jobs
INSERT INTO orca.recovery_job (
    job_id, collection_id, granule_id, archive_destination, status_id, request_time, completion_time
)
SELECT job_id, collection_id, granule_id, archive, status, requested, completed
FROM unnest(
    CAST(:new_jobs AS text[]), CAST(:new_collections AS text[]), CAST(:new_granules AS text[]),
    CAST(:archives AS text[]), CAST(:statuses AS int2[]), CAST(:requested AS timestamptz[]),
    CAST(:completed AS timestamptz[])
) AS new (job_id, collection_id, granule_id, archive, status, requested, completed)
ON CONFLICT (job_id, collection_id, granule_id) DO NOTHING;

-- name: find_collections
SELECT job.job_id, job.granule_id, job.collection_id
FROM unnest(CAST(:jobs AS text[]), CAST(:granules AS text[])) AS named (job_id, granule_id)
JOIN orca.recovery_job AS job USING (job_id, granule_id);

-- name: lock_jobs
-- All in one order, so that two runs never deadlock; not FOR UPDATE, which new rows of files would wait for.
SELECT FROM unnest(
    CAST(:jobs AS text[]), CAST(:collections AS text[]), CAST(:granules AS text[])
) WITH ORDINALITY AS named (job_id, collection_id, granule_id, position)
JOIN orca.recovery_job AS job USING (job_id, collection_id, granule_id)
ORDER BY named.position
FOR NO KEY UPDATE OF job;

-- name: read_jobs
SELECT
    named.position, job.status_id, job.completion_time,
    file.filename, file.status_id, file.last_update, file.completion_time
FROM unnest(
    CAST(:jobs AS text[]), CAST(:collections AS text[]), CAST(:granules AS text[])
) WITH ORDINALITY AS named (job_id, collection_id, granule_id, position)
JOIN orca.recovery_job AS job USING (job_id, collection_id, granule_id)
LEFT JOIN orca.recovery_file AS file USING (job_id, collection_id, granule_id);

-- name: insert_files
INSERT INTO orca.recovery_file (
    job_id, collection_id, granule_id, filename, key_path, restore_destination, multipart_chunksize_mb,
    status_id, request_time, last_update, completion_time, error_message
)
SELECT *
FROM unnest(
    CAST(:new_jobs AS text[]), CAST(:new_collections AS text[]), CAST(:new_granules AS text[]),
    CAST(:new_filenames AS text[]), CAST(:new_paths AS text[]), CAST(:new_destinations AS text[]),
    CAST(:new_chunks AS int[]), CAST(:new_statuses AS int2[]), CAST(:new_requested AS timestamptz[]),
    CAST(:new_updated AS timestamptz[]), CAST(:new_completed AS timestamptz[]), CAST(:new_errors AS text[])
);

-- name: move_files
UPDATE orca.recovery_file AS file
SET status_id = new.status,
    last_update = new.updated,
    completion_time = new.completed,
    error_message = new.error
FROM unnest(
    CAST(:moved_jobs AS text[]), CAST(:moved_collections AS text[]), CAST(:moved_granules AS text[]),
    CAST(:moved_filenames AS text[]), CAST(:moved_statuses AS int2[]), CAST(:moved_updated AS timestamptz[]),
    CAST(:moved_completed AS timestamptz[]), CAST(:moved_errors AS text[])
) AS new (job_id, collection_id, granule_id, filename, status, updated, completed, error)
WHERE file.job_id = new.job_id
    AND file.collection_id = new.collection_id
    AND file.granule_id = new.granule_id
    AND file.filename = new.filename;

-- name: roll_up
UPDATE orca.recovery_job AS job
SET status_id = whole.status,
    completion_time = whole.completed
FROM unnest(
    CAST(:jobs AS text[]), CAST(:collections AS text[]), CAST(:granules AS text[]),
    CAST(:statuses AS int2[]), CAST(:completed AS timestamptz[])
) AS whole (job_id, collection_id, granule_id, status, completed)
WHERE job.job_id = whole.job_id
    AND job.collection_id = whole.collection_id
    AND job.granule_id = whole.granule_id;
