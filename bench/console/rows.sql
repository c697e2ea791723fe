-- name: catalog
-- Granules of four files each, in forty collections and four archive buckets.
INSERT INTO orca.providers SELECT 'provider-' || p, 'Provider ' || p FROM generate_series(1, 4) AS p ON CONFLICT DO NOTHING;
INSERT INTO orca.collections
SELECT 'MOD' || lpad(c::text, 2, '0') || '___061', 'MOD' || lpad(c::text, 2, '0'), '061' FROM generate_series(1, 40) AS c
ON CONFLICT DO NOTHING;
INSERT INTO orca.granules (
    provider_id, collection_id, cumulus_granule_id, execution_id, ingest_time, cumulus_create_time, last_update
)
SELECT
    'provider-' || g % 4 + 1, 'MOD' || lpad((g % 40 + 1)::text, 2, '0') || '___061',
    'MOD' || lpad((g % 40 + 1)::text, 2, '0') || '.A' || 2020000 + g % 2000 || '.' || lpad(g::text, 8, '0') || '.061', 'execution-' || g / 50,
    now() - g * interval '30 seconds', now() - g * interval '30 seconds', now() - g * interval '30 seconds'
FROM generate_series(1, CAST(:catalog_files AS int) / 4) AS g;
INSERT INTO orca.files (
    granule_id, name, orca_archive_location, cumulus_archive_location, key_path, ingest_time, etag, version, size_in_bytes, storage_class_id
)
SELECT
    granule.id, file.name, 'bench-archive-' || granule.id % 4 + 1, 'bench-protected-' || granule.id % 4 + 1,
    granule.collection_id || '/' || file.name, granule.ingest_time, md5(file.name), 'v1', 1000000 + granule.id % 50000000, 1
FROM orca.granules AS granule
CROSS JOIN LATERAL (
    SELECT granule.cumulus_granule_id || extension AS name FROM unnest(ARRAY['.hdf', '.hdf.met', '.jpg', '.cmr.json']) AS extension
) AS file;

-- name: recoveries
-- Jobs of one granule and two files, over a year; of a hundred jobs one is open and two have failed.
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT
    md5('job' || n)::uuid::text AS job_id, 'MOD' || lpad((n % 40 + 1)::text, 2, '0') || '___061' AS collection_id,
    'MOD' || lpad((n % 40 + 1)::text, 2, '0') || '.A' || 2020000 + n % 2000 || '.' || lpad(n::text, 8, '0') || '.061' AS granule_id,
    'bench-archive-' || n % 4 + 1 AS archive,
    CASE WHEN n < 20 OR n % 100 = 7 AND n < CAST(:jobs AS int) / 4 THEN 1 + n % 2 WHEN n % 100 IN (3, 4) THEN 3 ELSE 4 END AS status_id,
    now() - n * (interval '365 days' / CAST(:jobs AS int)) AS request_time, n
FROM generate_series(1, CAST(:jobs AS int)) AS n;
INSERT INTO made
SELECT
    md5('large job' || j)::uuid::text, 'MOD01___061', 'MOD01.A2021' || lpad(g::text, 6, '0') || '.' || j, 'bench-archive-1',
    CASE WHEN g % 500 = 1 THEN 3 WHEN g > CAST(:granules AS int) * 0.8 THEN 1 + g % 2 ELSE 4 END,
    now() - j * interval '3 hours', CAST(:jobs AS int) + j * CAST(:granules AS int) + g
FROM generate_series(1, 5) AS j, generate_series(1, CAST(:granules AS int)) AS g;
INSERT INTO orca.recovery_job (job_id, collection_id, granule_id, archive_destination, status_id, request_time, completion_time)
SELECT job_id, collection_id, granule_id, archive, status_id, request_time, CASE WHEN status_id > 2 THEN request_time + interval '5 hours' END
FROM made;
INSERT INTO orca.recovery_file (
    job_id, collection_id, granule_id, filename, key_path, restore_destination, status_id, error_message, request_time, last_update,
    completion_time
)
SELECT
    made.job_id, made.collection_id, made.granule_id, made.granule_id || file.extension,
    made.collection_id || '/' || made.granule_id || file.extension, 'bench-protected-' || n % 4 + 1, made.status_id,
    CASE WHEN made.status_id = 3 THEN CASE n % 5
        WHEN 0 THEN 'the object s3://' || made.archive || '/' || made.collection_id || '/' || made.granule_id || file.extension || ' does not exist'
        WHEN 1 THEN 'An error occurred (AccessDenied) when calling the CopyObject operation: Access Denied'
        WHEN 2 THEN 'the restore of s3://' || made.archive || '/' || made.granule_id || ' has not completed after 5 attempts'
        WHEN 3 THEN 'An error occurred (InternalError) when calling the UploadPartCopy operation (reached max retries: 4)'
        ELSE 'the copy has ' || n || ' bytes and the object ' || n + 1 END END,
    made.request_time, least(now(), made.request_time + interval '5 hours' * (made.status_id - 1) / 3),
    CASE WHEN made.status_id > 2 THEN least(now(), made.request_time + interval '5 hours') END
FROM made
CROSS JOIN (VALUES ('.hdf'), ('.hdf.met')) AS file (extension);

-- name: reconciliation
-- One comparison a week of each bucket; the newest of the first bucket has many phantoms.
INSERT INTO orca.reconcile_job (
    orca_archive_location, status_id, inventory_creation_time, start_time, last_update, end_time, error_message
)
SELECT
    'bench-archive-' || b, CASE WHEN w = 0 AND b = 4 THEN 3 WHEN w % 9 = 4 THEN 4 ELSE 5 END, now() - w * interval '7 days' - interval '9 hours',
    now() - w * interval '7 days' - interval '1 hour', now() - w * interval '7 days' - interval '40 minutes',
    CASE WHEN w > 0 OR b < 4 THEN now() - w * interval '7 days' - interval '40 minutes' END,
    CASE WHEN w % 9 = 4 THEN 'the inventory lists a data file that does not exist' END
FROM generate_series(1, 4) AS b, generate_series(0, CAST(:comparisons AS int) / 4 - 1) AS w;
INSERT INTO orca.reconcile_phantom_report (
    job_id, collection_id, granule_id, filename, key_path, orca_etag, orca_last_update, orca_size, orca_storage_class_id
)
SELECT
    job.id, 'MOD01___061', 'MOD01.A2021' || lpad(n::text, 6, '0'), 'MOD01.A2021' || lpad(n::text, 6, '0') || '.hdf',
    'MOD01___061/MOD01.A2021' || lpad(n::text, 6, '0') || '.hdf', md5(n::text), job.inventory_creation_time - interval '3 days', 1000 * n, 1
FROM orca.reconcile_job AS job
CROSS JOIN LATERAL generate_series(1, CASE
    WHEN job.id = (SELECT min(id) FROM orca.reconcile_job WHERE orca_archive_location = 'bench-archive-1') THEN CAST(:differences AS int)
    ELSE (job.id * 37 % 101)::int END) AS n
WHERE job.status_id = 5;
INSERT INTO orca.reconcile_orphan_report (job_id, key_path, etag, last_update, size_in_bytes, storage_class)
SELECT job.id, 'left/over/' || n || '.hdf', md5(n::text), job.inventory_creation_time - interval '30 days', 2000 * n, 'GLACIER'
FROM orca.reconcile_job AS job
CROSS JOIN LATERAL generate_series(1, (job.id * 53 % 71)::int) AS n
WHERE job.status_id = 5;
INSERT INTO orca.reconcile_catalog_mismatch_report (
    job_id, collection_id, granule_id, filename, key_path, cumulus_archive_location, orca_etag, s3_etag, orca_last_update, s3_last_update,
    orca_size_in_bytes, s3_size_in_bytes, orca_storage_class_id, s3_storage_class, discrepancy_type
)
SELECT
    job.id, 'MOD02___061', 'MOD02.A2021' || n, 'MOD02.A2021' || n || '.hdf', 'MOD02___061/MOD02.A2021' || n || '.hdf', 'bench-protected-1',
    md5(n::text), md5('other' || n), job.inventory_creation_time - interval '3 days', job.inventory_creation_time - interval '2 days',
    1000 * n, 1000 * n + n % 2, 1, CASE WHEN n % 3 = 0 THEN 'DEEP_ARCHIVE' ELSE 'GLACIER' END,
    concat_ws(', ', 'etag', CASE WHEN n % 2 = 1 THEN 'size_in_bytes' END, CASE WHEN n % 3 = 0 THEN 'storage_class' END)
FROM orca.reconcile_job AS job
CROSS JOIN LATERAL generate_series(1, (job.id * 29 % 31)::int) AS n
WHERE job.status_id = 5;

-- name: dead_letters
INSERT INTO orca.orca_daemon_dead_letter (
    id, original_id, queue, group_id, reason, error_type, facts, dead_lettered_at, expires_at, redriven_at
)
SELECT
    md5('letter' || n)::uuid::text, md5('message' || n)::uuid::text,
    (ARRAY['status_update', 'recovery', 'internal_report', 'catalog', 'restore'])[n % 5 + 1], CASE WHEN n % 5 IN (0, 3) THEN 'request_files' END,
    CASE n % 4
        WHEN 0 THEN 'the object s3://bench-archive-' || n % 4 + 1 || '/MOD01___061/' || n || '.hdf does not exist'
        WHEN 1 THEN 'not a valid copy request: sourceKey: is missing'
        WHEN 2 THEN 'the job ' || md5(n::text) || ' does not exist'
        ELSE 'no progress within ' || n % 50 || ' attempts' END,
    CASE n % 4 WHEN 0 THEN 'ObjectMissingError' WHEN 1 THEN 'Reject' WHEN 2 THEN 'UnmatchedUpdateError' ELSE 'CopyError' END,
    jsonb_build_object('cause', CASE WHEN n % 4 = 3 THEN 'attempts' ELSE 'rejected' END, 'attempts', n % 5 + 1, 'job_id', md5('job' || n)::uuid::text,
        'granule_id', 'MOD01.A2021' || n),
    now() - n * interval '100 seconds', now() - n * interval '100 seconds' + interval '14 days',
    CASE WHEN n % 20 = 19 THEN now() - n * interval '50 seconds' END
FROM generate_series(1, CAST(:dead_letters AS int)) AS n;
INSERT INTO orca.orca_daemon_action (id, at, who, what, filter, wanted, done, seen_at, finished_at, error_message, result)
SELECT
    md5('action' || n)::uuid, now() - n * interval '3 hours', (ARRAY['ana', 'ben', 'nightly job'])[n % 3 + 1],
    (ARRAY['recover', 'redrive', 'pause', 'resume', 'export'])[n % 5 + 1],
    jsonb_build_object('queue', (ARRAY['recovery', 'status_update'])[n % 2 + 1]), n * 3, n * 3, now() - n * interval '3 hours',
    now() - n * interval '3 hours' + interval '4 seconds', CASE WHEN n % 17 = 0 THEN 'SQS did not answer' END, NULL
FROM generate_series(1, 2000) AS n;
