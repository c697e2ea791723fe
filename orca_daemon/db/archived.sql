-- name: with_collection
SELECT
    granule.collection_id, granule.cumulus_granule_id, file.name, file.key_path, file.orca_archive_location,
    file.size_in_bytes, class.value
FROM (
    SELECT DISTINCT collection_id, granule_id
    FROM unnest(CAST(:collections AS text[]), CAST(:granules AS text[])) AS pair (collection_id, granule_id)
) AS asked
JOIN orca.granules AS granule
    ON granule.collection_id = asked.collection_id AND granule.cumulus_granule_id = asked.granule_id
LEFT JOIN orca.files AS file ON file.granule_id = granule.id
LEFT JOIN orca.storage_class AS class ON class.id = file.storage_class_id;

-- name: in_any_collection
SELECT
    granule.collection_id, granule.cumulus_granule_id, file.name, file.key_path, file.orca_archive_location,
    file.size_in_bytes, class.value
FROM (SELECT DISTINCT granule_id FROM unnest(CAST(:granules AS text[])) AS one (granule_id)) AS asked
JOIN orca.granules AS granule ON granule.cumulus_granule_id = asked.granule_id
LEFT JOIN orca.files AS file ON file.granule_id = granule.id
LEFT JOIN orca.storage_class AS class ON class.id = file.storage_class_id;
