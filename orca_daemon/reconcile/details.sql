-- Differences of `found.sql` as compare.sql has them: reads the listing once more, for rows that differ.
--
-- Reads   wanted: some rows of `found` that are in the listing (kind, file_id, key_hash, key_rest, content_hash);
--         listed_again: as the listing in compare.sql, but it may lack rows that are not in `wanted`.
-- A key that is listed several times has as many rows, each counted once.
SELECT
    d.kind,
    d.file_id,
    o.key_path,
    CASE WHEN o.odd IS NOT NULL THEN o.odd ELSE o.etag END AS s3_etag,
    CASE WHEN o.odd IS NULL THEN o.size_in_bytes END AS s3_size_in_bytes,
    CASE WHEN o.odd IS NULL THEN o.last_update END AS s3_last_update,
    CASE WHEN o.odd IS NULL THEN o.storage_class END AS s3_storage_class,
    CAST(1 AS BIGINT) AS times
FROM listed_again AS o
INNER JOIN wanted AS d
    ON
        d.key_hash = o.key_hash
        AND d.key_rest = o.key_rest
        AND d.content_hash = o.content_hash
        AND (d.kind = 'odd') = (o.odd IS NOT NULL)
