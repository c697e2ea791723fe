-- name: exists
SELECT to_regclass('orca.orca_daemon_restore') IS NOT NULL;

-- name: of_job
SELECT collection_id, granule_id, filename, archive, key_path, size_in_bytes, step, tier, requested_at, done_at, expires_at,
    error_message
FROM orca.orca_daemon_restore
WHERE job_id = :job AND granule_id = ANY(CAST(:granules AS text[]));

-- name: unfinished
SELECT job_id FROM orca.orca_daemon_restore
WHERE request = :request AND done_at IS NULL
ORDER BY requested_at DESC
LIMIT 1;

-- name: lock_day
SELECT pg_advisory_xact_lock(:lock);

-- name: asked_today
SELECT coalesce(sum(size_in_bytes), 0)::bigint
FROM orca.orca_daemon_restore
WHERE step = 'ask' AND error_message IS NULL
    AND requested_at >= date_trunc('day', CAST(:now AS timestamptz), 'UTC');

-- name: plan
INSERT INTO orca.orca_daemon_restore
    (job_id, collection_id, granule_id, filename, archive, key_path, size_in_bytes, step, tier, requested_at,
        done_at, error_message, request)
SELECT :job, planned.*, :request
FROM unnest(
    CAST(:collections AS text[]), CAST(:granules AS text[]), CAST(:filenames AS text[]), CAST(:archives AS text[]),
    CAST(:keys AS text[]), CAST(:sizes AS bigint[]), CAST(:steps AS text[]), CAST(:tiers AS text[]),
    CAST(:requested AS timestamptz[]), CAST(:done AS timestamptz[]), CAST(:errors AS text[])
) AS planned
ON CONFLICT DO NOTHING;

-- name: end
-- `done` is null for a file that was given up: a redrive tries it again.
UPDATE orca.orca_daemon_restore AS restore
SET step = ended.step, tier = ended.tier, done_at = ended.done, expires_at = ended.expires,
    error_message = ended.error
FROM unnest(
    CAST(:filenames AS text[]), CAST(:steps AS text[]), CAST(:tiers AS text[]), CAST(:done AS timestamptz[]),
    CAST(:expires AS timestamptz[]), CAST(:errors AS text[])
) AS ended (filename, step, tier, done, expires, error)
WHERE restore.job_id = :job AND restore.collection_id = :collection AND restore.granule_id = :granule
    AND restore.filename = ended.filename;

-- name: in_progress
-- An index of ours serves the open jobs, primary keys serve the joins: the cost is that of the open jobs.
SELECT restore.tier, count(*) AS files, extract(epoch FROM min(restore.requested_at))::float8 AS oldest
FROM orca.recovery_job AS job
JOIN orca.recovery_file AS file USING (job_id, collection_id, granule_id)
JOIN orca.orca_daemon_restore AS restore USING (job_id, collection_id, granule_id, filename)
WHERE job.status_id < 3 AND file.status_id = 1
    AND restore.step IN ('ask', 'wait') AND restore.error_message IS NULL
GROUP BY restore.tier;

-- name: expiring
SELECT count(*)
FROM orca.recovery_job AS job
JOIN orca.recovery_file AS file USING (job_id, collection_id, granule_id)
JOIN orca.orca_daemon_restore AS restore USING (job_id, collection_id, granule_id, filename)
WHERE job.status_id < 3 AND file.status_id IN (1, 2) AND restore.error_message IS NULL
    AND restore.expires_at BETWEEN CAST(:now AS timestamptz) AND CAST(:now AS timestamptz) + interval '1 day';
