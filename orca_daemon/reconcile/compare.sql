-- Everything that differs between a listing and the catalog, one row each, and one row for all that agree.
--
-- Reads   listing (key_hash, key_rest, content_hash, key_path, etag, size_in_bytes, last_update, storage_class,
--         odd): objects that exist, each once; `odd` says what keeps one from being compared, null mostly;
--         catalog (id, key_hash, key_rest, content_hash, recent): rows of that bucket, each key once.
-- The hashes stand for key, and for ETag, size and storage class: what is held of each row is a third of its
-- strings, and a join that fits into memory writes nothing to disk.  Keys have two, so that no two meet.
-- Grouping is what counts the rows that agree without a second pass: all their columns are null.
-- Nothing here is of one database: it runs on DuckDB, Spark and Postgres alike.
SELECT
    kind,
    CASE WHEN kind IN ('phantom', 'mismatch', 'odd') THEN file_id END AS file_id,
    CASE WHEN kind IN ('mismatch', 'orphan', 'odd') THEN key_path END AS key_path,
    CASE WHEN kind IN ('mismatch', 'orphan') THEN etag WHEN kind = 'odd' THEN odd END AS s3_etag,
    CASE WHEN kind IN ('mismatch', 'orphan') THEN size_in_bytes END AS s3_size_in_bytes,
    CASE WHEN kind IN ('mismatch', 'orphan') THEN last_update END AS s3_last_update,
    CASE WHEN kind IN ('mismatch', 'orphan') THEN storage_class END AS s3_storage_class,
    COUNT(*) AS times
FROM (
    SELECT
        CASE
            WHEN o.key_hash IS NULL AND c.recent THEN 'recent'
            WHEN o.key_hash IS NULL THEN 'phantom'
            WHEN o.odd IS NOT NULL THEN 'odd'
            WHEN c.key_hash IS NULL THEN 'orphan'
            WHEN c.content_hash = o.content_hash THEN 'match'
            ELSE 'mismatch'
        END AS kind,
        c.id AS file_id,
        o.key_path,
        o.etag,
        o.size_in_bytes,
        o.last_update,
        o.storage_class,
        o.odd
    FROM catalog AS c
    FULL OUTER JOIN listing AS o ON o.key_hash = c.key_hash AND o.key_rest = c.key_rest
) AS joined
GROUP BY 1, 2, 3, 4, 5, 6, 7
