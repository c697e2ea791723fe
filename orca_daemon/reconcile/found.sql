-- All differences between a large listing and the catalog, one row each, by the hashes of their keys, and one row
-- with the number of matches.
--
-- The same as compare.sql, but without the columns of the listing, which `details.sql` adds for the rows that
-- differ.  A join that outgrows its memory writes both sides to disk: this one writes a fifth of that of compare.sql.
SELECT
    COALESCE(kind, 'match') AS kind,
    file_id,
    key_hash,
    key_rest,
    content_hash,
    COUNT(*) AS times
FROM (
    SELECT
        CASE
            WHEN is_match THEN NULL
            WHEN listed IS NULL AND recent THEN 'recent'
            WHEN listed IS NULL THEN 'phantom'
            WHEN is_odd THEN 'odd'
            WHEN catalogued IS NULL THEN 'orphan'
            ELSE 'mismatch'
        END AS kind,
        CASE WHEN is_match OR (listed IS NULL AND recent) THEN NULL ELSE id END AS file_id,
        CASE WHEN is_match THEN NULL ELSE listed END AS key_hash,
        CASE WHEN is_match THEN NULL ELSE key_rest END AS key_rest,
        CASE WHEN is_match THEN NULL ELSE content_hash END AS content_hash
    FROM (
        SELECT
            NOT o.is_odd AND c.content_hash = o.content_hash AS is_match,
            o.is_odd,
            o.key_hash AS listed,
            o.key_rest,
            o.content_hash,
            c.key_hash AS catalogued,
            c.id,
            c.recent
        FROM (SELECT key_hash, key_rest, content_hash, odd IS NOT NULL AS is_odd FROM listing) AS o
        FULL OUTER JOIN catalog AS c ON c.key_hash = o.key_hash AND c.key_rest = o.key_rest
    ) AS pairs
) AS joined
GROUP BY 1, 2, 3, 4, 5
