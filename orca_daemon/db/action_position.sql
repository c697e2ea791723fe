-- name: reached
UPDATE orca.orca_daemon_action
SET done = :done, result = CAST(:position AS jsonb), seen_at = clock_timestamp()
WHERE id = :id AND finished_at IS NULL;

-- name: about
SELECT filter FROM orca.orca_daemon_action WHERE id = :id;
