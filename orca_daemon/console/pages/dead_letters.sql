-- name: of_queues
-- The table knows ten thousands at most, since it forgets a letter when SQS does.
SELECT queue, count(*) AS letters, min(dead_lettered_at) AS oldest, max(dead_lettered_at) AS newest, min(expires_at) AS expires_at
FROM orca.orca_daemon_dead_letter
WHERE redriven_at IS NULL AND deleted_at IS NULL
GROUP BY queue;

-- name: page
SELECT id, original_id, queue, group_id, reason, error_type, dead_lettered_at, expires_at, redriven_at, deleted_at
FROM orca.orca_daemon_dead_letter
WHERE (dead_lettered_at, id) < (:time, :id)
    AND (CAST(:queue AS text) IS NULL OR queue = :queue)
    AND (CAST(:text AS text) IS NULL OR position(lower(:text) IN lower(reason)) > 0 OR id = :text OR original_id = :text OR group_id = :text)
    AND CASE CAST(:state AS text)
        WHEN 'redriven' THEN redriven_at IS NOT NULL
        WHEN 'deleted' THEN deleted_at IS NOT NULL
        WHEN 'all' THEN true
        ELSE redriven_at IS NULL AND deleted_at IS NULL
    END
ORDER BY dead_lettered_at DESC, id DESC
LIMIT :limit;

-- name: letter
SELECT * FROM orca.orca_daemon_dead_letter WHERE id = :id;

-- name: files_by_name
SELECT count(*) AS files, count(*) FILTER (WHERE status_id = 4) AS copied, max(completion_time) AS copied_at
FROM orca.recovery_file
WHERE job_id = ANY(CAST(:jobs AS text[])) AND granule_id = :granule AND filename = :filename;

-- name: files_by_key
SELECT count(*) AS files, count(*) FILTER (WHERE status_id = 4) AS copied, max(completion_time) AS copied_at
FROM (
    -- By the index of keys; a job may have many files.
    SELECT job_id, status_id, completion_time FROM orca.recovery_file WHERE key_path = :key LIMIT 1000
) AS file
WHERE job_id = ANY(CAST(:jobs AS text[]));
