-- name: newest
-- A job stands where its earliest granule stands.  Each row of the index by time asks for the earliest granule of its
-- job, so that a page reads a page's worth of jobs, however many there are.
WITH page AS (
    SELECT DISTINCT granule.request_time, granule.job_id
    FROM orca.recovery_job AS granule
    WHERE granule.request_time = (
            SELECT first.request_time FROM orca.recovery_job AS first
            WHERE first.job_id = granule.job_id ORDER BY first.request_time LIMIT 1
        )
        AND (granule.request_time <= CAST(:until AS timestamptz))
        AND (granule.request_time < CAST(:before_time AS timestamptz)
            OR granule.request_time = CAST(:before_time AS timestamptz) AND granule.job_id < :before_job)
        AND granule.request_time >= CAST(:since AS timestamptz)
    ORDER BY granule.request_time DESC, granule.job_id DESC
    LIMIT :limit
)
SELECT page.request_time, page.job_id FROM page ORDER BY page.request_time DESC, page.job_id DESC;
