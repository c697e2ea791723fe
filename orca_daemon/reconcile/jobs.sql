-- name: lock_jobs_of_bucket
-- Until the end of the transaction, so that two messages of one inventory create one job.
SELECT pg_advisory_xact_lock(:key);

-- name: of_inventory
SELECT j.id, j.status_id, j.start_time
FROM orca.reconcile_job AS j
WHERE j.orca_archive_location = :bucket AND j.inventory_creation_time = :created
ORDER BY j.id
LIMIT 1
FOR UPDATE;

-- name: by_id
SELECT j.id, j.status_id, j.start_time, j.end_time
FROM orca.reconcile_job AS j
WHERE j.id = :job AND j.orca_archive_location = :bucket
FOR UPDATE;

-- name: created_of_job
-- Without a lock on the row: a comparison that writes its reports holds that for long.
SELECT j.inventory_creation_time
FROM orca.reconcile_job AS j
WHERE j.id = :job AND j.orca_archive_location = :bucket;

-- name: has_listing
SELECT EXISTS (
    SELECT 1
    FROM orca.reconcile_s3_object AS o
    WHERE o.orca_archive_location = :bucket AND o.job_id = :job
);

-- name: insert_job
INSERT INTO orca.reconcile_job
    (orca_archive_location, status_id, inventory_creation_time, start_time, last_update)
VALUES (:bucket, :status, :created, now(), now())
RETURNING id;

-- name: restart_job
UPDATE orca.reconcile_job
SET status_id = :status, start_time = now(), last_update = now(), end_time = NULL, error_message = NULL
WHERE id = :job;

-- name: move_job
UPDATE orca.reconcile_job
SET status_id = :status, last_update = now(), end_time = NULL, error_message = NULL
WHERE id = :job AND status_id <> :success;

-- name: finish_job
UPDATE orca.reconcile_job
SET
    status_id = :status,
    start_time = :started,
    last_update = now(),
    end_time = now(),
    error_message = :note
WHERE id = :job;

-- name: fail_job
UPDATE orca.reconcile_job
SET status_id = :status, last_update = now(), end_time = now(), error_message = :reason
WHERE id = :job AND status_id <> :success;
