-- name: time_before
SELECT now() - CAST(:age AS interval);

-- name: expired_jobs
SELECT j.id, j.orca_archive_location AS bucket
FROM orca.reconcile_job AS j
WHERE j.last_update < :before AND j.id > :after
ORDER BY j.id
LIMIT 1;

-- name: phantoms
DELETE FROM orca.reconcile_phantom_report AS r
WHERE r.ctid = ANY(
    ARRAY(SELECT chosen.ctid FROM orca.reconcile_phantom_report AS chosen WHERE chosen.job_id = :job LIMIT :batch)
);

-- name: orphans
DELETE FROM orca.reconcile_orphan_report AS r
WHERE r.ctid = ANY(
    ARRAY(SELECT chosen.ctid FROM orca.reconcile_orphan_report AS chosen WHERE chosen.job_id = :job LIMIT :batch)
);

-- name: mismatches
DELETE FROM orca.reconcile_catalog_mismatch_report AS r
WHERE r.ctid = ANY(
    ARRAY(
        SELECT chosen.ctid
        FROM orca.reconcile_catalog_mismatch_report AS chosen
        WHERE chosen.job_id = :job
        LIMIT :batch
    )
);

-- name: listing
DELETE FROM orca.reconcile_s3_object AS r
WHERE
    r.orca_archive_location = :bucket
    AND r.ctid = ANY(
        ARRAY(
            SELECT chosen.ctid
            FROM orca.reconcile_s3_object AS chosen
            WHERE chosen.orca_archive_location = :bucket AND chosen.job_id = :job
            LIMIT :batch
        )
    );

-- name: unindexed_partitions
SELECT part.relname
FROM pg_catalog.pg_inherits AS link
INNER JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid
WHERE
    link.inhparent = to_regclass('orca.reconcile_s3_object')
    AND pg_catalog.pg_relation_size(part.oid) > :small
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_index AS entry
        INNER JOIN pg_catalog.pg_attribute AS first_column
            ON first_column.attrelid = part.oid AND first_column.attnum = entry.indkey[0]
        WHERE entry.indrelid = part.oid AND entry.indisvalid AND first_column.attname = 'job_id'
    );

-- name: delete_job
DELETE FROM orca.reconcile_job AS j
WHERE j.id = :job AND j.last_update < :before;
