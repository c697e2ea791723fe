-- The statements of a run, prepared once for each connection: to parse and plan them anew was a third of a small
-- run's time.  Each takes its rows as one JSON array.

-- name: prepare
-- A connection that is prepared a second time begins anew; nothing else of ours prepares anything.
DEALLOCATE ALL;

PREPARE insert_jobs (json) AS
INSERT INTO orca.recovery_job (
    job_id, collection_id, granule_id, archive_destination, status_id, request_time, completion_time
)
SELECT job_id, collection_id, granule_id, archive, status, requested, completed
FROM json_to_recordset($1) AS new (
    job_id text, collection_id text, granule_id text, archive text, status int2, requested timestamptz,
    completed timestamptz
)
ON CONFLICT (job_id, collection_id, granule_id) DO NOTHING;

-- All in one order, so that two runs never deadlock; not FOR UPDATE, which new rows of files would wait for.
PREPARE lock_jobs (json) AS
SELECT FROM json_to_recordset($1) AS named (
    job_id text, collection_id text, granule_id text, position int
)
JOIN orca.recovery_job AS job USING (job_id, collection_id, granule_id)
ORDER BY named.position
FOR NO KEY UPDATE OF job;

PREPARE read_jobs (json) AS
SELECT
    named.position, job.status_id, job.completion_time,
    file.filename, file.status_id, file.last_update, file.completion_time
FROM json_to_recordset($1) AS named (
    job_id text, collection_id text, granule_id text, position int
)
JOIN orca.recovery_job AS job USING (job_id, collection_id, granule_id)
LEFT JOIN orca.recovery_file AS file USING (job_id, collection_id, granule_id);

PREPARE insert_files (json) AS
INSERT INTO orca.recovery_file (
    job_id, collection_id, granule_id, filename, key_path, restore_destination, multipart_chunksize_mb,
    status_id, request_time, last_update, completion_time, error_message
)
SELECT job_id, collection_id, granule_id, filename, path, destination, chunk, status, requested, updated,
    completed, error
FROM json_to_recordset($1) AS new (
    job_id text, collection_id text, granule_id text, filename text, path text, destination text, chunk int,
    status int2, requested timestamptz, updated timestamptz, completed timestamptz, error text
);

PREPARE move_files (json) AS
UPDATE orca.recovery_file AS file
SET status_id = new.status,
    last_update = new.updated,
    completion_time = new.completed,
    error_message = new.error
FROM json_to_recordset($1) AS new (
    job_id text, collection_id text, granule_id text, filename text, status int2, updated timestamptz,
    completed timestamptz, error text
)
WHERE file.job_id = new.job_id
    AND file.collection_id = new.collection_id
    AND file.granule_id = new.granule_id
    AND file.filename = new.filename;

PREPARE roll_up (json) AS
UPDATE orca.recovery_job AS job
SET status_id = whole.status,
    completion_time = whole.completed
FROM json_to_recordset($1) AS whole (
    job_id text, collection_id text, granule_id text, status int2, completed timestamptz
)
WHERE job.job_id = whole.job_id
    AND job.collection_id = whole.collection_id
    AND job.granule_id = whole.granule_id;

-- name: plan
-- Keys are looked up by index whatever the statistics say: they are old just when a recovery is large.
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;

-- name: insert_jobs
EXECUTE insert_jobs(:opened);

-- name: lock_jobs
EXECUTE lock_jobs(:meant);

-- name: read_jobs
EXECUTE read_jobs(:meant);

-- name: insert_files
EXECUTE insert_files(:created);

-- name: move_files
EXECUTE move_files(:moved);

-- name: roll_up
EXECUTE roll_up(:rolled_up);

-- name: find_collections
SELECT job.job_id, job.granule_id, job.collection_id
FROM json_to_recordset(CAST(:granules AS json)) AS named (job_id text, granule_id text)
JOIN orca.recovery_job AS job USING (job_id, granule_id);
