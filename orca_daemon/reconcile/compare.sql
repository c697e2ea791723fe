-- Everything that differs between a listing and the catalog, one row each, and one row for all that agree.
--
-- Reads   listing (key_path, etag, size_in_bytes, last_update, storage_class): objects that exist, each once;
--         catalog (id, key_path, etag, size_in_bytes, storage_class, recent): rows of that bucket, each key once.
-- Grouping is what counts the rows that agree without a second pass: all their columns are null.
-- Nothing here is of one database: it runs on DuckDB, Spark and Postgres alike.
SELECT
    kind,
    CASE WHEN kind IN ('phantom', 'mismatch') THEN file_id END AS file_id,
    CASE WHEN kind IN ('phantom', 'mismatch', 'orphan') THEN key_path END AS key_path,
    CASE WHEN kind IN ('phantom', 'mismatch') THEN orca_etag END AS orca_etag,
    CASE WHEN kind IN ('phantom', 'mismatch') THEN orca_size_in_bytes END AS orca_size_in_bytes,
    CASE WHEN kind IN ('phantom', 'mismatch') THEN orca_storage_class END AS orca_storage_class,
    CASE WHEN kind IN ('mismatch', 'orphan') THEN s3_etag END AS s3_etag,
    CASE WHEN kind IN ('mismatch', 'orphan') THEN s3_size_in_bytes END AS s3_size_in_bytes,
    CASE WHEN kind IN ('mismatch', 'orphan') THEN s3_last_update END AS s3_last_update,
    CASE WHEN kind IN ('mismatch', 'orphan') THEN s3_storage_class END AS s3_storage_class,
    CASE
        WHEN kind = 'mismatch'
        THEN CONCAT_WS(
            ', ',
            CASE WHEN orca_etag <> s3_etag THEN 'etag' END,
            CASE WHEN orca_size_in_bytes <> s3_size_in_bytes THEN 'size_in_bytes' END,
            CASE WHEN orca_storage_class <> s3_storage_class THEN 'storage_class' END
        )
    END AS discrepancy_type,
    COUNT(*) AS times
FROM (
    SELECT
        CASE
            WHEN o.key_path IS NULL AND c.recent THEN 'recent'
            WHEN o.key_path IS NULL THEN 'phantom'
            WHEN c.key_path IS NULL THEN 'orphan'
            WHEN
                c.etag = o.etag AND c.size_in_bytes = o.size_in_bytes AND c.storage_class = o.storage_class
            THEN 'match'
            ELSE 'mismatch'
        END AS kind,
        c.id AS file_id,
        COALESCE(o.key_path, c.key_path) AS key_path,
        c.etag AS orca_etag,
        c.size_in_bytes AS orca_size_in_bytes,
        c.storage_class AS orca_storage_class,
        o.etag AS s3_etag,
        o.size_in_bytes AS s3_size_in_bytes,
        o.last_update AS s3_last_update,
        o.storage_class AS s3_storage_class
    FROM catalog AS c
    FULL OUTER JOIN listing AS o ON o.key_path = c.key_path
) AS joined
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
