-- name: plan
-- Keys are looked up by index whatever the statistics say: they are old just when a recovery is large.
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;

-- name: insert_jobs
INSERT INTO orca.recovery_job (
    job_id, collection_id, granule_id, archive_destination, status_id, request_time, completion_time
)
SELECT job_id, collection_id, granule_id, archive, status, requested, completed
FROM json_to_recordset(CAST(:opened AS json)) AS new (
    job_id text, collection_id text, granule_id text, archive text, status int2, requested timestamptz,
    completed timestamptz
)
ON CONFLICT (job_id, collection_id, granule_id) DO NOTHING;

-- name: find_collections
SELECT job.job_id, job.granule_id, job.collection_id
FROM json_to_recordset(CAST(:granules AS json)) AS named (job_id text, granule_id text)
JOIN orca.recovery_job AS job USING (job_id, granule_id);

-- name: lock_jobs
-- All in one order, so that two runs never deadlock; not FOR UPDATE, which new rows of files would wait for.
SELECT FROM json_to_recordset(CAST(:meant AS json)) AS named (
    job_id text, collection_id text, granule_id text, position int
)
JOIN orca.recovery_job AS job USING (job_id, collection_id, granule_id)
ORDER BY named.position
FOR NO KEY UPDATE OF job;

-- name: read_jobs
SELECT
    named.position, job.status_id, job.completion_time,
    file.filename, file.status_id, file.last_update, file.completion_time
FROM json_to_recordset(CAST(:meant AS json)) AS named (
    job_id text, collection_id text, granule_id text, position int
)
JOIN orca.recovery_job AS job USING (job_id, collection_id, granule_id)
LEFT JOIN orca.recovery_file AS file USING (job_id, collection_id, granule_id);

-- name: insert_files
INSERT INTO orca.recovery_file (
    job_id, collection_id, granule_id, filename, key_path, restore_destination, multipart_chunksize_mb,
    status_id, request_time, last_update, completion_time, error_message
)
SELECT job_id, collection_id, granule_id, filename, path, destination, chunk, status, requested, updated,
    completed, error
FROM json_to_recordset(CAST(:created AS json)) AS new (
    job_id text, collection_id text, granule_id text, filename text, path text, destination text, chunk int,
    status int2, requested timestamptz, updated timestamptz, completed timestamptz, error text
);

-- name: move_files
UPDATE orca.recovery_file AS file
SET status_id = new.status,
    last_update = new.updated,
    completion_time = new.completed,
    error_message = new.error
FROM json_to_recordset(CAST(:moved AS json)) AS new (
    job_id text, collection_id text, granule_id text, filename text, status int2, updated timestamptz,
    completed timestamptz, error text
)
WHERE file.job_id = new.job_id
    AND file.collection_id = new.collection_id
    AND file.granule_id = new.granule_id
    AND file.filename = new.filename;

-- name: roll_up
UPDATE orca.recovery_job AS job
SET status_id = whole.status,
    completion_time = whole.completed
FROM json_to_recordset(CAST(:rolled_up AS json)) AS whole (
    job_id text, collection_id text, granule_id text, status int2, completed timestamptz
)
WHERE job.job_id = whole.job_id
    AND job.collection_id = whole.collection_id
    AND job.granule_id = whole.granule_id;
