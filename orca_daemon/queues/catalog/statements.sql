-- The statements of a run.  Each takes its rows as one JSON array, in the order in which every run locks them.

-- name: plan
-- Forces index look-ups of keys: the statistics of a table that grows fast are out of date.
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;

-- name: insert_providers
INSERT INTO orca.providers (provider_id, name)
SELECT id, name FROM json_to_recordset(CAST(:providers AS json)) AS new (id text, name text)
ON CONFLICT (provider_id) DO NOTHING;

-- name: insert_collections
INSERT INTO orca.collections (collection_id, shortname, version)
SELECT id, shortname, version
FROM json_to_recordset(CAST(:collections AS json)) AS new (id text, shortname text, version text)
ON CONFLICT (collection_id) DO NOTHING;

-- name: write_granules
INSERT INTO orca.granules AS stored (
    provider_id, collection_id, cumulus_granule_id, execution_id, ingest_time, cumulus_create_time, last_update
)
SELECT provider, collection, granule, execution, ingested, created, updated
FROM json_to_recordset(CAST(:granules AS json)) AS new (
    provider text, collection text, granule text, execution text, ingested timestamptz, created timestamptz,
    updated timestamptz
)
ON CONFLICT (collection_id, cumulus_granule_id) DO UPDATE
SET provider_id = excluded.provider_id,
    execution_id = excluded.execution_id,
    last_update = excluded.last_update
WHERE excluded.last_update >= stored.last_update
    AND (excluded.provider_id, excluded.execution_id, excluded.last_update)
        IS DISTINCT FROM (stored.provider_id, stored.execution_id, stored.last_update);

-- name: read_ids
-- Of granules, and of storage classes: only the last of several statements returns rows.
SELECT NULL AS number, id, NULL AS stale, value AS class FROM orca.storage_class
UNION ALL
SELECT new.number, stored.id, stored.last_update > new.updated, NULL
FROM json_to_recordset(CAST(:granules AS json)) AS new (
    number int, collection text, granule text, updated timestamptz
)
JOIN orca.granules AS stored ON (stored.collection_id, stored.cumulus_granule_id) = (new.collection, new.granule);

-- name: write_files
INSERT INTO orca.files AS stored (
    granule_id, name, orca_archive_location, cumulus_archive_location, key_path, ingest_time, etag, version,
    size_in_bytes, hash, hash_type, storage_class_id
)
SELECT granule, name, archive, cumulus, key, ingested, etag, version, size, hash, hash_type, class
FROM json_to_recordset(CAST(:files AS json)) AS new (
    granule int8, name text, archive text, cumulus text, key text, ingested timestamptz, etag text, version text,
    size int8, hash text, hash_type text, class int2
)
ON CONFLICT (cumulus_archive_location, key_path) DO UPDATE
SET name = excluded.name,
    orca_archive_location = excluded.orca_archive_location,
    ingest_time = excluded.ingest_time,
    etag = excluded.etag,
    version = excluded.version,
    size_in_bytes = excluded.size_in_bytes,
    hash = excluded.hash,
    hash_type = excluded.hash_type,
    storage_class_id = excluded.storage_class_id
WHERE excluded.ingest_time >= stored.ingest_time
    AND (
        excluded.name, excluded.orca_archive_location, excluded.ingest_time, excluded.etag, excluded.version,
        excluded.size_in_bytes, excluded.hash, excluded.hash_type, excluded.storage_class_id
    ) IS DISTINCT FROM (
        stored.name, stored.orca_archive_location, stored.ingest_time, stored.etag, stored.version,
        stored.size_in_bytes, stored.hash, stored.hash_type, stored.storage_class_id
    );

-- name: find_stale_files
SELECT new.number
FROM json_to_recordset(CAST(:files AS json)) AS new (number int, cumulus text, key text, ingested timestamptz)
JOIN orca.files AS stored ON (stored.cumulus_archive_location, stored.key_path) = (new.cumulus, new.key)
WHERE stored.ingest_time > new.ingested;
