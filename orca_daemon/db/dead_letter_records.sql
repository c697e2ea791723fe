-- name: installed
SELECT to_regclass('orca.orca_daemon_dead_letter') IS NOT NULL;

-- name: counts
SELECT queue, count(*) AS count, min(dead_lettered_at) AS oldest, max(dead_lettered_at) AS newest
FROM orca.orca_daemon_dead_letter
WHERE redriven_at IS NULL AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > now())
GROUP BY queue;

-- name: page
SELECT id, original_id, queue, group_id, reason, error_type, facts, dead_lettered_at, expires_at
FROM orca.orca_daemon_dead_letter
WHERE redriven_at IS NULL AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    AND queue = ANY (CAST(:queues AS text[]))
    AND (CAST(:ids AS text[]) IS NULL OR id = ANY (CAST(:ids AS text[])) OR original_id = ANY (CAST(:ids AS text[])))
    AND (:reason = '' OR position(lower(:reason) IN lower(reason)) > 0)
    AND (:error = '' OR error_type = :error)
    AND (CAST(:group AS text) IS NULL OR group_id = :group)
    AND (CAST(:since AS timestamptz) IS NULL OR dead_lettered_at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR dead_lettered_at < :until)
    AND id <> ALL (CAST(:without AS text[]))
ORDER BY dead_lettered_at DESC, id
LIMIT :limit;

-- name: known
SELECT id FROM orca.orca_daemon_dead_letter WHERE queue = :queue AND id = ANY (CAST(:ids AS text[]));

-- name: sent
SELECT id FROM orca.orca_daemon_dead_letter
WHERE queue = :queue AND id = ANY (CAST(:ids AS text[])) AND redriven_at IS NOT NULL;

-- name: insert
INSERT INTO orca.orca_daemon_dead_letter
    (id, original_id, queue, group_id, reason, error_type, facts, dead_lettered_at, expires_at)
VALUES (:id, :original_id, :queue, :group, :reason, :error, CAST(:facts AS jsonb), :dead_lettered_at, :expires_at)
ON CONFLICT (id) DO NOTHING;

-- name: mark_redriven
UPDATE orca.orca_daemon_dead_letter SET redriven_at = clock_timestamp()
WHERE queue = :queue AND id = ANY (CAST(:ids AS text[])) AND redriven_at IS NULL;

-- name: mark_deleted
UPDATE orca.orca_daemon_dead_letter SET deleted_at = clock_timestamp()
WHERE queue = :queue AND id = ANY (CAST(:ids AS text[])) AND deleted_at IS NULL;

-- name: unmark_deleted
UPDATE orca.orca_daemon_dead_letter SET deleted_at = NULL
WHERE queue = :queue AND id = ANY (CAST(:ids AS text[])) AND deleted_at IS NOT NULL;
