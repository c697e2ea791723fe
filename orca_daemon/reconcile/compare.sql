-- All differences between a listing and the catalog, one row each, and one row with the number of matches.
--
-- Reads   listing (key_hash, content_hash, key_path, etag, size_in_bytes, last_update, storage_class, odd):
--         objects that exist, each once; `odd` names the problem of a row that cannot be compared, and is null for
--         nearly all rows;
--         catalog (id, key_hash, content_hash, recent): rows of that bucket, each key once.
-- The join compares hashes in place of strings: key_hash for the key, content_hash for ETag, size and storage class.
-- Hashes take a fourth of the memory of the strings, and a join that fits into memory writes nothing to disk.
-- GROUP BY counts the matches without a second pass, because all their columns are null.
-- The statement runs unchanged on DuckDB, Spark and Postgres.
SELECT
    COALESCE(kind, 'match') AS kind,
    file_id,
    key_path,
    s3_etag,
    s3_size_in_bytes,
    s3_last_update,
    s3_storage_class,
    COUNT(*) AS times
FROM (
    SELECT
        CASE
            WHEN is_match THEN NULL
            WHEN listed IS NULL AND recent THEN 'recent'
            WHEN listed IS NULL THEN 'phantom'
            WHEN odd IS NOT NULL THEN 'odd'
            WHEN catalogued IS NULL THEN 'orphan'
            ELSE 'mismatch'
        END AS kind,
        CASE WHEN is_match OR (listed IS NULL AND recent) THEN NULL ELSE id END AS file_id,
        CASE WHEN is_match THEN NULL ELSE key_path END AS key_path,
        CASE WHEN is_match THEN NULL WHEN odd IS NOT NULL THEN odd ELSE etag END AS s3_etag,
        CASE WHEN is_match OR odd IS NOT NULL THEN NULL ELSE size_in_bytes END AS s3_size_in_bytes,
        CASE WHEN is_match OR odd IS NOT NULL THEN NULL ELSE last_update END AS s3_last_update,
        CASE WHEN is_match OR odd IS NOT NULL THEN NULL ELSE storage_class END AS s3_storage_class
    FROM (
        SELECT
            o.odd IS NULL AND c.content_hash = o.content_hash AS is_match,
            o.key_hash AS listed,
            c.key_hash AS catalogued,
            c.id,
            c.recent,
            o.key_path,
            o.etag,
            o.size_in_bytes,
            o.last_update,
            o.storage_class,
            o.odd
        FROM listing AS o
        FULL OUTER JOIN catalog AS c ON c.key_hash = o.key_hash
    ) AS pairs
) AS joined
GROUP BY 1, 2, 3, 4, 5, 6, 7
