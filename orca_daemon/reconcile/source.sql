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
