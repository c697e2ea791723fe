-- name: page
-- A job stands where its earliest granule that matches stands.  At most `scanned` entries of the index by time are read,
-- and of these the newest `pairs` of time and job: so a page is quick however many rows there are, and the last of them
-- says where the next page begins.  Collection and bucket have no index by time: they are asked of what was read.
-- Failed granules have none either: `by_status` finds them by their failed files if these are few, else they are many
-- among what was read.
WITH scanned AS MATERIALIZED (
    SELECT granule.request_time, granule.job_id, /* wanted */ true AS wanted
    FROM /* source */ orca.recovery_job AS granule
    WHERE granule.request_time <= :until AND granule.request_time >= :since AND /* matching */ true
    ORDER BY granule.request_time DESC
    LIMIT :scanned
), pairs AS MATERIALIZED (
    SELECT request_time, job_id, bool_or(wanted) AS wanted FROM scanned
    WHERE CAST(:after_job AS text) IS NULL
        OR (request_time, job_id) < (CAST(:until AS timestamptz), CAST(:after_job AS text))
    GROUP BY request_time, job_id
    ORDER BY request_time DESC, job_id DESC
    LIMIT :pairs
), firsts AS MATERIALIZED (
    SELECT job.job_id, (
        SELECT min(granule.request_time) FROM orca.recovery_job AS granule
        WHERE granule.job_id = job.job_id AND /* matching */ true AND /* wanted */ true
    ) AS request_time
    FROM (SELECT DISTINCT job_id FROM pairs WHERE wanted) AS job
)
SELECT jobs.job_id, jobs.request_time, edge.last_time, edge.last_job, edge.complete
FROM (
    SELECT
        (array_agg(pairs.request_time ORDER BY request_time, job_id))[1] AS last_time,
        (array_agg(pairs.job_id ORDER BY request_time, job_id))[1] AS last_job,
        count(*) < :pairs AND (SELECT count(*) FROM scanned) < :scanned AS complete
    FROM pairs
) AS edge
LEFT JOIN (pairs JOIN firsts USING (job_id, request_time)) AS jobs ON true
ORDER BY jobs.request_time DESC NULLS LAST, jobs.job_id DESC NULLS LAST
LIMIT :limit;

-- name: by_status
-- In place of the table in `page`: open and failed granules by the partial indexes of open granules and failed files.
(
    (SELECT * FROM orca.recovery_job WHERE status_id < 3 AND request_time <= :until ORDER BY request_time DESC LIMIT :scanned)
    UNION ALL
    (
        SELECT granule.*
        FROM (
            SELECT DISTINCT job_id, collection_id, granule_id
            FROM (
                SELECT job_id, collection_id, granule_id FROM orca.recovery_file WHERE status_id = 3 ORDER BY last_update DESC LIMIT :files
            ) AS file
        ) AS failed
        -- With a limit it is looked up by its key for each, whatever the statistics say.
        CROSS JOIN LATERAL (
            SELECT * FROM orca.recovery_job AS job
            WHERE (job.job_id, job.collection_id, job.granule_id) = (failed.job_id, failed.collection_id, failed.granule_id)
                AND job.status_id = 3
            LIMIT 1
        ) AS granule
    )
);

-- name: failed_files
SELECT count(*) AS files FROM (SELECT FROM orca.recovery_file WHERE status_id = 3 ORDER BY last_update DESC LIMIT :files) AS file;

-- name: collections
SELECT collection_id FROM orca.collections ORDER BY collection_id LIMIT :limit;

-- name: found
-- Jobs with this id, or whose ids begin so; with a granule of this id; with a file of this key.
SELECT found.job_id, min(granule.request_time) AS request_time
FROM (
    (SELECT job_id FROM orca.recovery_job WHERE job_id = :text LIMIT 1)
    UNION
    (SELECT job_id FROM (
        SELECT job_id FROM orca.recovery_job WHERE job_id >= :text AND length(:text) >= 4 ORDER BY job_id LIMIT :limit
    ) AS near WHERE starts_with(job_id, :text))
    UNION
    (SELECT job_id FROM orca.recovery_job WHERE granule_id = :text LIMIT :limit)
    UNION
    (SELECT job_id FROM orca.recovery_file WHERE key_path = :text LIMIT :limit)
) AS found
JOIN orca.recovery_job AS granule USING (job_id)
GROUP BY found.job_id
ORDER BY request_time DESC, found.job_id DESC
LIMIT :limit;

-- name: counts
-- Of at most `most` files of each job.
SELECT job.job_id, granules.granules, granules.granule, files.*
FROM unnest(CAST(:jobs AS text[])) AS job (job_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS granules, min(granule_id) AS granule
    FROM (SELECT granule_id FROM orca.recovery_job WHERE job_id = job.job_id LIMIT :most) AS granule
) AS granules
CROSS JOIN LATERAL (
    SELECT
        count(*) AS files,
        count(*) FILTER (WHERE status_id = 1) AS pending,
        count(*) FILTER (WHERE status_id = 2) AS staged,
        count(*) FILTER (WHERE status_id = 3) AS failed,
        count(*) FILTER (WHERE status_id = 4) AS success,
        max(last_update) AS last_update,
        min(completion_time) FILTER (WHERE status_id = 4) AS first_copied,
        max(completion_time) FILTER (WHERE status_id = 4) AS last_copied,
        min(last_update) FILTER (WHERE status_id = 3) AS first_failed,
        max(last_update) FILTER (WHERE status_id = 3) AS last_failed,
        count(*) FILTER (WHERE status_id > 2 AND completion_time > now() - interval '10 minutes') AS recent
    FROM (
        SELECT status_id, last_update, completion_time FROM orca.recovery_file WHERE job_id = job.job_id LIMIT :most
    ) AS file
) AS files;

-- name: estimate
SELECT reltuples::bigint AS rows FROM pg_catalog.pg_class WHERE oid = to_regclass('orca.recovery_job');

-- name: exists
SELECT min(request_time) AS request_time FROM orca.recovery_job WHERE job_id = :job HAVING count(*) > 0;

-- name: restores
SELECT
    sum(size_in_bytes)::bigint AS bytes, min(requested_at) AS requested_at, string_agg(DISTINCT tier, ', ') AS tiers,
    count(*) FILTER (WHERE step IN ('ask', 'wait', 'extend') AND done_at IS NOT NULL) AS asked,
    count(*) FILTER (WHERE done_at IS NULL AND error_message IS NULL) AS not_asked
FROM (SELECT * FROM orca.orca_daemon_restore WHERE job_id = :job LIMIT :most) AS restore;

-- name: actions
-- Of the newest `looked` actions since the job was requested, those that name it.  Commands record `job_id`, the console `job`.
SELECT id, at, who, filter, wanted, done, finished_at, error_message
FROM (
    SELECT * FROM orca.orca_daemon_action WHERE at >= :since ORDER BY at DESC LIMIT :looked
) AS action
WHERE what = 'recover' AND :job IN (filter ->> 'job_id', filter ->> 'job')
ORDER BY at DESC
LIMIT :limit;

-- name: errors
SELECT
    coalesce(error_message, '') AS error_message, count(*) AS files, min(filename) AS example, max(last_update) AS last
FROM (SELECT * FROM orca.recovery_file WHERE job_id = :job AND status_id = 3 LIMIT :most) AS file
GROUP BY error_message
ORDER BY files DESC, error_message
LIMIT 2000;

-- name: files
SELECT collection_id, granule_id, filename, status_id, error_message, restore_destination, last_update
FROM orca.recovery_file
WHERE job_id = :job
    AND (CAST(:status AS int) IS NULL OR status_id = :status)
    AND (CAST(:only AS text) IS NULL OR granule_id = :only)
    AND (collection_id, granule_id, filename) > (:collection, :granule, :filename)
ORDER BY collection_id, granule_id, filename
LIMIT :limit;
