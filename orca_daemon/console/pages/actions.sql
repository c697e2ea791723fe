-- name: page
SELECT id, at, who, what, filter, wanted, done, seen_at, finished_at, error_message, result
FROM orca.orca_daemon_action
WHERE (at, id) < (:time, CAST(:id AS uuid))
    AND (CAST(:who AS text) IS NULL OR who = :who)
    AND (CAST(:what AS text) IS NULL OR what = :what)
ORDER BY at DESC, id DESC
LIMIT :limit;

-- name: action
SELECT id, at, who, what, filter, wanted, done, seen_at, finished_at, error_message, result
FROM orca.orca_daemon_action WHERE id = CAST(:id AS uuid);

-- name: kinds
SELECT DISTINCT what FROM orca.orca_daemon_action WHERE at > now() - interval '90 days' ORDER BY what LIMIT 50;
