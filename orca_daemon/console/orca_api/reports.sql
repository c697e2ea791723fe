-- name: jobs
SELECT
    job.id,
    job.orca_archive_location AS "orcaArchiveLocation",
    status.value AS status,
    job.inventory_creation_time AS "inventoryCreationTime",
    job.last_update AS "lastUpdate",
    job.error_message AS "errorMessage"
FROM orca.reconcile_job AS job
JOIN orca.reconcile_status AS status ON status.id = job.status_id
WHERE CAST(:after_time AS timestamptz) IS NULL
    OR (job.inventory_creation_time, job.id) < (CAST(:after_time AS timestamptz), CAST(:after_id AS int8))
ORDER BY job.inventory_creation_time DESC, job.id DESC
LIMIT :most OFFSET :skip;

-- name: totals
-- One pass over each report.  A subquery for each job would be one pass for each job, if Postgres misjudges their sizes.
SELECT job_id, 'orphan' AS report, count(*) AS total
FROM orca.reconcile_orphan_report WHERE job_id = ANY (CAST(:jobs AS int8[])) GROUP BY job_id
UNION ALL
SELECT job_id, 'phantom', count(*)
FROM orca.reconcile_phantom_report WHERE job_id = ANY (CAST(:jobs AS int8[])) GROUP BY job_id
UNION ALL
SELECT job_id, 'catalogMismatch', count(*)
FROM orca.reconcile_catalog_mismatch_report WHERE job_id = ANY (CAST(:jobs AS int8[])) GROUP BY job_id;

-- name: orphans
SELECT
    key_path AS "keyPath",
    etag AS "s3Etag",
    last_update AS "s3FileLastUpdate",
    size_in_bytes AS "s3SizeInBytes",
    storage_class AS "s3StorageClass"
FROM orca.reconcile_orphan_report
WHERE job_id = :job AND (CAST(:after_key AS text) IS NULL OR key_path > CAST(:after_key AS text))
ORDER BY key_path
LIMIT :most OFFSET :skip;

-- name: phantoms
-- The primary key begins with job, collection and granule.  "coalesce" keeps the planner from its estimate of the second
-- comparison, by the first column alone: no row, if all are of one collection.
SELECT
    row_.collection_id AS "collectionId",
    row_.granule_id AS "granuleId",
    row_.filename,
    row_.key_path AS "keyPath",
    row_.orca_etag AS "orcaEtag",
    row_.orca_last_update AS "orcaGranuleLastUpdate",
    row_.orca_size AS "orcaSizeInBytes",
    class.value AS "orcaStorageClass"
FROM (
    SELECT *
    FROM orca.reconcile_phantom_report
    WHERE job_id = :job AND (
        CAST(:after_key AS text) IS NULL
        OR (
            (collection_id, granule_id) >= (CAST(:after_collection AS text), CAST(:after_granule AS text))
            AND coalesce(
                (collection_id, granule_id, filename, key_path) > (
                    CAST(:after_collection AS text), CAST(:after_granule AS text), CAST(:after_filename AS text),
                    CAST(:after_key AS text)
                ),
                false
            )
        )
    )
    ORDER BY collection_id, granule_id, filename, key_path
    LIMIT :most OFFSET :skip
) AS row_
JOIN orca.storage_class AS class ON class.id = row_.orca_storage_class_id
ORDER BY row_.collection_id, row_.granule_id, row_.filename, row_.key_path;

-- name: mismatches
SELECT
    row_.collection_id AS "collectionId",
    row_.granule_id AS "granuleId",
    row_.filename,
    row_.key_path AS "keyPath",
    row_.cumulus_archive_location AS "cumulusArchiveLocation",
    row_.orca_etag AS "orcaEtag",
    row_.s3_etag AS "s3Etag",
    row_.orca_last_update AS "orcaGranuleLastUpdate",
    row_.s3_last_update AS "s3FileLastUpdate",
    row_.orca_size_in_bytes AS "orcaSizeInBytes",
    row_.s3_size_in_bytes AS "s3SizeInBytes",
    class.value AS "orcaStorageClass",
    row_.s3_storage_class AS "s3StorageClass",
    row_.discrepancy_type AS "discrepancyType",
    CASE WHEN job.inventory_creation_time <= greatest(row_.orca_last_update, row_.s3_last_update) THEN
        'The file was written at about the time of the inventory: the difference may be gone. Check it by hand.'
    END AS comment
FROM (
    SELECT *
    FROM orca.reconcile_catalog_mismatch_report
    WHERE job_id = :job AND (
        CAST(:after_key AS text) IS NULL
        OR (
            (collection_id, granule_id) >= (CAST(:after_collection AS text), CAST(:after_granule AS text))
            AND coalesce(
                (collection_id, granule_id, filename, key_path) > (
                    CAST(:after_collection AS text), CAST(:after_granule AS text), CAST(:after_filename AS text),
                    CAST(:after_key AS text)
                ),
                false
            )
        )
    )
    ORDER BY collection_id, granule_id, filename, key_path
    LIMIT :most OFFSET :skip
) AS row_
JOIN orca.storage_class AS class ON class.id = row_.orca_storage_class_id
JOIN orca.reconcile_job AS job ON job.id = row_.job_id
ORDER BY row_.collection_id, row_.granule_id, row_.filename, row_.key_path;
