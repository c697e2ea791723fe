-- name: catalog
-- Names begin with their collection's and go on with a hash: a page in the order of names is spread over the whole
-- table, which is the worst case.
INSERT INTO orca.providers (provider_id, name) SELECT 'provider_' || n, NULL FROM generate_series(0, 3) AS n;
INSERT INTO orca.collections (collection_id, shortname, version)
SELECT 'PRODUCT' || lpad(n::text, 3, '0') || '___006', 'PRODUCT' || lpad(n::text, 3, '0'), '006'
FROM generate_series(0, %(collections)s - 1) AS n;
INSERT INTO orca.granules (
    id, provider_id, collection_id, cumulus_granule_id, execution_id, ingest_time, cumulus_create_time, last_update
)
SELECT n, 'provider_' || n %% 4, product || '___006', product || '.A2017.' || left(md5(n::text), 12) || '.006',
    'execution-' || n / 100, created, created, created
FROM generate_series(1, %(granules)s) AS n
CROSS JOIN LATERAL (SELECT CASE WHEN n %% 10 = 0 THEN 0 ELSE n %% %(collections)s END AS collection) AS number_
CROSS JOIN LATERAL (
    SELECT 'PRODUCT' || lpad(collection::text, 3, '0') AS product,
        timestamptz '2017-01-01Z' + n * interval '10 seconds' AS created
) AS named;

-- name: files
INSERT INTO orca.files (
    id, granule_id, name, orca_archive_location, cumulus_archive_location, key_path, ingest_time, etag, version,
    size_in_bytes, hash, hash_type, storage_class_id
)
SELECT granule.id * %(files)s + n, granule.id, name, 'orca-archive', 'protected', left(granule.collection_id, 10) || '/' || name,
    granule.ingest_time, '"' || md5(name) || '"', left(md5(name), 16), 123456789, NULL, NULL, 1
FROM orca.granules AS granule
CROSS JOIN generate_series(0, %(files)s - 1) AS n
CROSS JOIN LATERAL (SELECT granule.cumulus_granule_id || '.' || n || '.hdf' AS name) AS named;

-- name: recoveries
INSERT INTO orca.recovery_job (
    job_id, collection_id, granule_id, archive_destination, status_id, request_time, completion_time
)
SELECT md5((n / %(of_a_job)s)::text)::uuid::text, 'PRODUCT000___006', 'granule-' || n, 'orca-archive', 1 + n %% 4,
    now() - n * interval '1 second', CASE WHEN n %% 4 > 1 THEN now() END
FROM generate_series(0, %(recoveries)s - 1) AS n;
INSERT INTO orca.recovery_file (
    job_id, collection_id, granule_id, filename, key_path, restore_destination, status_id, error_message, request_time,
    last_update, completion_time
)
SELECT job_id, collection_id, granule_id, granule_id || '.' || n || '.hdf', collection_id || '/' || granule_id || '.' || n,
    'protected', status_id, CASE WHEN status_id = 3 THEN 'AccessDenied' END, request_time, request_time, completion_time
FROM orca.recovery_job
CROSS JOIN generate_series(0, %(files)s - 1) AS n;

-- name: reports
INSERT INTO orca.reconcile_job (id, orca_archive_location, status_id, inventory_creation_time, start_time, last_update)
SELECT n, 'orca-archive', 5, now() - n * interval '1 day', now(), now() FROM generate_series(1, 150) AS n;
INSERT INTO orca.reconcile_orphan_report (job_id, key_path, etag, last_update, size_in_bytes, storage_class)
SELECT 1, 'orphans/' || md5(n::text), '"e"', now(), n, 'GLACIER' FROM generate_series(1, %(differences)s) AS n;
INSERT INTO orca.reconcile_phantom_report (
    job_id, collection_id, granule_id, filename, key_path, orca_etag, orca_last_update, orca_size, orca_storage_class_id
)
SELECT 1, 'PRODUCT000___006', md5((n / 4)::text), 'file-' || n, 'phantoms/' || n, '"e"', now(), n, 1
FROM generate_series(1, %(differences)s) AS n;
INSERT INTO orca.reconcile_catalog_mismatch_report (
    job_id, collection_id, granule_id, filename, key_path, cumulus_archive_location, orca_etag, s3_etag,
    orca_last_update, s3_last_update, orca_size_in_bytes, s3_size_in_bytes, orca_storage_class_id, s3_storage_class,
    discrepancy_type
)
SELECT 1, 'PRODUCT000___006', md5((n / 4)::text), 'file-' || n, 'mismatches/' || n, 'protected', '"e"', '"f"',
    now(), now(), n, n, 1, 'GLACIER', 'etag'
FROM generate_series(1, %(differences)s) AS n;
