-- name: exists
SELECT to_regclass('orca.orca_daemon_action') IS NOT NULL;

-- name: insert
INSERT INTO orca.orca_daemon_action (id, at, who, what, filter, wanted, done, seen_at)
VALUES (:id, clock_timestamp(), :who, :what, CAST(:filter AS jsonb), :wanted, 0, clock_timestamp())
ON CONFLICT DO NOTHING;

-- name: lock
SELECT id, at, who, what, filter, wanted, done, seen_at, finished_at, error_message AS error, result,
    seen_at > clock_timestamp() - make_interval(secs => :fresh) AS under_way
FROM orca.orca_daemon_action
WHERE id = :id
FOR UPDATE;

-- name: find
SELECT id, at, who, what, filter, wanted, done, seen_at, finished_at, error_message AS error, result
FROM orca.orca_daemon_action
WHERE id = :id;

-- name: resume
UPDATE orca.orca_daemon_action SET seen_at = clock_timestamp() WHERE id = :id;

-- name: progress
UPDATE orca.orca_daemon_action
SET done = :done, wanted = coalesce(:wanted, wanted), seen_at = clock_timestamp()
WHERE id = :id AND finished_at IS NULL;

-- name: finish
UPDATE orca.orca_daemon_action
SET done = :done, wanted = coalesce(:wanted, wanted), error_message = :error, result = CAST(:result AS jsonb), seen_at = clock_timestamp(),
    finished_at = clock_timestamp()
WHERE id = :id AND finished_at IS NULL;

-- name: recent
SELECT id, at, who, what, filter, wanted, done, seen_at, finished_at, error_message AS error, result
FROM orca.orca_daemon_action
WHERE (CAST(:before AS timestamptz) IS NULL OR at < :before)
ORDER BY at DESC, id
LIMIT :limit;

-- name: seen_since
SELECT id, at, who, what, filter, wanted, done, seen_at, finished_at, error_message AS error, result
FROM orca.orca_daemon_action
WHERE at > CAST(:since AS timestamptz) - interval '1 day' AND seen_at > :since
ORDER BY seen_at, id
LIMIT :limit;

-- name: now
SELECT clock_timestamp();
