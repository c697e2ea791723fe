-- All differences between a listing and the catalog, one row each, and one row with the number of matches.
--
-- Reads   listing (key_hash, key_rest, content_hash, key_path, etag, size_in_bytes, last_update, storage_class,
--         odd): objects that exist, each once; `odd` names the problem of a row that cannot be compared, and is
--         null for nearly all rows;
--         catalog (id, key_hash, key_rest, content_hash, recent): rows of that bucket, each key once.
-- The join compares hashes in place of strings: key_hash and key_rest for the key (96 bits, so that two keys do
-- not collide), content_hash for ETag, size and storage class.  Hashes take a third of the memory of the strings,
-- and a join that fits into memory writes nothing to disk.
-- GROUP BY counts the matches without a second pass, because all their columns are null.
-- The statement runs unchanged on DuckDB, Spark and Postgres.
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
