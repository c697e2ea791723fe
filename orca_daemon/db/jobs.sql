-- name: jobs
WITH page AS (
    SELECT
        job_id,
        min(request_time) AS request_time,
        count(*) AS granules,
        min(status_id) AS status_id,
        CASE WHEN min(status_id) > 2 THEN max(completion_time) END AS completion_time
    FROM orca.recovery_job AS job
    WHERE (CAST(:granule AS text) IS NULL AND CAST(:collection AS text) IS NULL AND CAST(:archive AS text) IS NULL)
        OR job_id IN (
            SELECT chosen.job_id
            FROM orca.recovery_job AS chosen
            WHERE (CAST(:granule AS text) IS NULL OR chosen.granule_id = :granule)
                AND (CAST(:collection AS text) IS NULL OR chosen.collection_id = :collection)
                AND (CAST(:archive AS text) IS NULL OR chosen.archive_destination = :archive)
        )
    GROUP BY job_id
    HAVING (CAST(:statuses AS int[]) IS NULL OR min(status_id) = ANY (CAST(:statuses AS int[])))
        AND (CAST(:since AS timestamptz) IS NULL OR min(request_time) >= :since)
        AND (CAST(:until AS timestamptz) IS NULL OR min(request_time) < :until)
        AND (CAST(:after AS text) IS NULL OR (min(request_time), job_id) < (
            SELECT min(seen.request_time), :after FROM orca.recovery_job AS seen WHERE seen.job_id = :after
        ))
        AND (CAST(:idle_since AS timestamptz) IS NULL OR (min(status_id) < 3 AND EXISTS (
            SELECT FROM orca.recovery_file AS still
            WHERE still.job_id = job.job_id AND still.status_id < 3 AND still.last_update < :idle_since
        )))
    ORDER BY min(request_time) DESC, job_id DESC
    LIMIT :limit
)
SELECT page.*, files.*
FROM page
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE status_id = 1) AS pending,
        count(*) FILTER (WHERE status_id = 2) AS staged,
        count(*) FILTER (WHERE status_id = 3) AS failed,
        count(*) FILTER (WHERE status_id = 4) AS success,
        max(last_update) AS last_update
    FROM orca.recovery_file AS file
    WHERE file.job_id = page.job_id
) AS files
ORDER BY page.request_time DESC, page.job_id DESC;

-- name: job_id
SELECT job_id FROM orca.recovery_job WHERE job_id = :job LIMIT 1;

-- name: job_ids
SELECT DISTINCT job_id FROM orca.recovery_job WHERE starts_with(job_id, :start) ORDER BY job_id LIMIT :limit;

-- name: near_collections
-- Of the catalog, and of the latest recoveries, whose granules the catalog may not have.
SELECT known.collection_id
FROM (
    SELECT collection_id, shortname FROM orca.collections
    UNION
    SELECT collection_id, collection_id FROM (
        SELECT collection_id FROM orca.recovery_job ORDER BY request_time DESC LIMIT 10000
    ) AS latest
) AS known (collection_id, shortname)
WHERE starts_with(lower(known.collection_id), lower(:text)) OR lower(known.shortname) = lower(:text)
GROUP BY known.collection_id
ORDER BY known.collection_id
LIMIT :limit;

-- name: granules
SELECT collection_id, granule_id, archive_destination, status_id, request_time, completion_time
FROM orca.recovery_job
WHERE job_id = :job AND (CAST(:granule AS text) IS NULL OR granule_id = :granule)
ORDER BY collection_id, granule_id;

-- name: files
SELECT
    file.collection_id, file.granule_id, file.filename, file.status_id, file.error_message, file.request_time,
    file.last_update, file.completion_time, granule.archive_destination, file.key_path, file.restore_destination,
    file.multipart_chunksize_mb
FROM orca.recovery_file AS file
JOIN orca.recovery_job AS granule USING (job_id, collection_id, granule_id)
WHERE file.job_id = :job
    AND (CAST(:granule AS text) IS NULL OR file.granule_id = :granule)
    AND (CAST(:filename AS text) IS NULL OR file.filename = :filename)
    AND file.status_id = ANY (CAST(:statuses AS int[]))
ORDER BY file.collection_id, file.granule_id, file.filename
LIMIT :limit;
