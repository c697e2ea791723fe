-- The statements of a run, prepared once for each connection, because parsing and planning them each time took a
-- third of the time of a small run.  Each takes its rows as one JSON array.

-- name: prepare
-- If the connection was prepared before, start afresh; no other code of ours prepares statements.
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

-- Locked in the order of `position`, which is the same in all runs, so that two runs never deadlock.
-- FOR NO KEY UPDATE, because inserts of files would wait for FOR UPDATE.
PREPARE lock_jobs (json) AS
SELECT FROM json_to_recordset($1) AS affected (
    job_id text, collection_id text, granule_id text, position int
)
JOIN orca.recovery_job AS job USING (job_id, collection_id, granule_id)
ORDER BY affected.position
FOR NO KEY UPDATE OF job;

-- First a row for each job, with the roll-up of the files that the run does not name: a granule may have ten thousand
-- of them.  `names` has the names as keys, which jsonb finds by bisection.  Then a row for each file that it names.
PREPARE read_jobs (json) AS
WITH affected AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1) AS affected (
        job_id text, collection_id text, granule_id text, position int, names jsonb
    )
)
SELECT
    affected.position, job.status_id, job.completion_time, NULL, NULL, others.status_id, others.completion_time
FROM affected
JOIN orca.recovery_job AS job USING (job_id, collection_id, granule_id)
CROSS JOIN LATERAL (
    SELECT min(other.status_id) AS status_id, max(other.completion_time) AS completion_time
    FROM orca.recovery_file AS other
    WHERE other.job_id = job.job_id
        AND other.collection_id = job.collection_id
        AND other.granule_id = job.granule_id
        AND NOT affected.names ? other.filename
) AS others
UNION ALL
SELECT named.position, file.status_id, file.completion_time, named.filename, file.last_update, NULL, NULL
FROM (
    -- The key and the name in one row, or the planner may look up the job's files and compare each name.
    SELECT position, job_id, collection_id, granule_id, jsonb_object_keys(names) AS filename FROM affected
) AS named
JOIN orca.recovery_file AS file USING (job_id, collection_id, granule_id, filename);

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

PREPARE update_files (json) AS
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
SET status_id = new.status,
    completion_time = new.completed
FROM json_to_recordset($1) AS new (
    job_id text, collection_id text, granule_id text, status int2, completed timestamptz
)
WHERE job.job_id = new.job_id
    AND job.collection_id = new.collection_id
    AND job.granule_id = new.granule_id;

-- name: plan
-- Forces index look-ups of keys, because the statistics are out of date just when a large recovery starts.
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;

-- name: insert_jobs
EXECUTE insert_jobs(:opened);

-- name: lock_jobs
EXECUTE lock_jobs(:affected);

-- name: read_jobs
EXECUTE read_jobs(:affected);

-- name: insert_files
EXECUTE insert_files(:created);

-- name: update_files
EXECUTE update_files(:updated);

-- name: roll_up
EXECUTE roll_up(:rolled_up);

-- name: find_collections
SELECT job.job_id, job.granule_id, job.collection_id
FROM json_to_recordset(CAST(:granules AS json)) AS granule (job_id text, granule_id text)
JOIN orca.recovery_job AS job USING (job_id, granule_id);
