-- The differences `found` as compare.sql has them, from the columns of their rows in the listing.
--
-- Reads   wanted: differences whose column key_path has the place of a row in the listing (kind, file_id, key_path);
--         listed: the rows at these places (position and the columns of the listing), maybe others too.
SELECT
    d.kind,
    d.file_id,
    o.key_path,
    CASE WHEN o.odd IS NOT NULL THEN o.odd ELSE o.etag END AS s3_etag,
    CASE WHEN o.odd IS NULL THEN o.size_in_bytes END AS s3_size_in_bytes,
    CASE WHEN o.odd IS NULL THEN o.last_update END AS s3_last_update,
    CASE WHEN o.odd IS NULL THEN o.storage_class END AS s3_storage_class,
    d.times
FROM listed AS o
INNER JOIN wanted AS d ON d.key_path = o.position
