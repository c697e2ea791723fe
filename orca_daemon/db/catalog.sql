-- name: find
-- Forces index look-ups: none of the indexes begins with the id of a granule or with a key, so each collection and
-- each bucket is asked, of which there are few.
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
WITH RECURSIVE bucket (name) AS (
    SELECT min(orca_archive_location) FROM orca.files
    UNION ALL
    SELECT (SELECT min(orca_archive_location) FROM orca.files WHERE orca_archive_location > bucket.name)
    FROM bucket
    WHERE bucket.name IS NOT NULL
)
SELECT granule.id
FROM orca.collections AS collection
JOIN orca.granules AS granule
    ON granule.collection_id = collection.collection_id AND granule.cumulus_granule_id = :name
WHERE CAST(:collection AS text) IS NULL OR collection.collection_id = :collection
UNION
SELECT file.granule_id
FROM bucket
JOIN orca.files AS file ON file.orca_archive_location = bucket.name AND file.key_path = :name
JOIN orca.granules AS granule ON granule.id = file.granule_id
WHERE CAST(:collection AS text) IS NULL OR granule.collection_id = :collection;

-- name: granules
SELECT
    granule.id, granule.collection_id, shortname, version, granule.cumulus_granule_id AS granule_id,
    granule.provider_id, provider.name AS provider_name, execution_id, ingest_time, cumulus_create_time, last_update
FROM orca.granules AS granule
JOIN orca.collections AS collection USING (collection_id)
JOIN orca.providers AS provider USING (provider_id)
WHERE granule.id = ANY(:ids)
ORDER BY granule.collection_id, granule.cumulus_granule_id;

-- name: files
SELECT
    granule_id AS granule, name, key_path, orca_archive_location, cumulus_archive_location, size_in_bytes,
    class.value AS storage_class, etag, version, hash, hash_type, ingest_time
FROM orca.files AS file
JOIN orca.storage_class AS class ON class.id = file.storage_class_id
WHERE granule_id = ANY(:ids)
ORDER BY granule_id, key_path, orca_archive_location;

-- name: count_by_collection
SELECT
    granule.collection_id AS name, count(*) AS granules, coalesce(sum(files), 0) AS files,
    coalesce(sum(bytes), 0) AS bytes
FROM orca.granules AS granule
LEFT JOIN (
    SELECT granule_id, count(*) AS files, sum(size_in_bytes) AS bytes FROM orca.files GROUP BY granule_id
) AS file ON file.granule_id = granule.id
GROUP BY granule.collection_id
ORDER BY name;

-- name: count_by_provider
SELECT
    granule.provider_id AS name, count(*) AS granules, coalesce(sum(files), 0) AS files,
    coalesce(sum(bytes), 0) AS bytes
FROM orca.granules AS granule
LEFT JOIN (
    SELECT granule_id, count(*) AS files, sum(size_in_bytes) AS bytes FROM orca.files GROUP BY granule_id
) AS file ON file.granule_id = granule.id
GROUP BY granule.provider_id
ORDER BY name;

-- name: count_by_bucket
SELECT
    orca_archive_location AS name, count(DISTINCT granule_id) AS granules, count(*) AS files,
    sum(size_in_bytes) AS bytes
FROM orca.files
GROUP BY orca_archive_location
ORDER BY name;

-- name: count_by_storage_class
SELECT
    class.value AS name, count(DISTINCT granule_id) AS granules, count(*) AS files, sum(size_in_bytes) AS bytes
FROM orca.files AS file
JOIN orca.storage_class AS class ON class.id = file.storage_class_id
GROUP BY class.value
ORDER BY name;
