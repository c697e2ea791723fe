-- name: record
INSERT INTO orca.orca_daemon_dead_letter
    (id, original_id, queue, group_id, reason, error_type, facts, dead_lettered_at, expires_at)
SELECT sent.*
FROM unnest(
    CAST(:ids AS text[]), CAST(:original_ids AS text[]), CAST(:queues AS text[]), CAST(:groups AS text[]),
    CAST(:reasons AS text[]), CAST(:error_types AS text[]), CAST(:facts AS jsonb[]),
    CAST(:times AS timestamptz[]), CAST(:expiries AS timestamptz[])
) AS sent
ON CONFLICT DO NOTHING;

-- name: expire
-- What has no expiry of its own is gone after the longest retention of SQS.
DELETE FROM orca.orca_daemon_dead_letter
WHERE ctid = ANY(
    ARRAY(
        SELECT ctid FROM orca.orca_daemon_dead_letter
        WHERE expires_at < clock_timestamp()
            OR (expires_at IS NULL AND dead_lettered_at < clock_timestamp() - interval '14 days')
        LIMIT :batch
        FOR UPDATE SKIP LOCKED
    )
);
