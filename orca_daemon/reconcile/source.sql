-- name: catalog
COPY (
    SELECT
        f.id,
        f.key_path,
        f.etag,
        f.size_in_bytes,
        f.storage_class_id,
        f.ingest_time > CAST(:recent_after AS timestamptz) AS recent
    FROM orca.files AS f
    WHERE f.orca_archive_location = :bucket
) TO STDOUT (FORMAT csv, QUOTE E'\x01');

-- name: stored_listing
COPY (
    SELECT
        o.key_path,
        o.etag,
        o.size_in_bytes,
        to_char(o.last_update AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS last_update,
        o.storage_class
    FROM orca.reconcile_s3_object AS o
    WHERE o.orca_archive_location = :bucket AND o.job_id = :job AND NOT o.delete_marker
) TO STDOUT (FORMAT csv, QUOTE E'\x01');
