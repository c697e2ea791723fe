-- name: all_granules
-- In the order of the index daemon_granules_order.
SELECT
    granule.id AS row_id,
    granule.cumulus_granule_id || ':' || granule.collection_id AS place,
    granule.provider_id AS "providerId",
    granule.collection_id AS "collectionId",
    granule.cumulus_granule_id AS id,
    granule.cumulus_create_time AS "createdAt",
    granule.execution_id AS "executionId",
    granule.ingest_time AS "ingestDate",
    granule.last_update AS "lastUpdate"
FROM orca.granules AS granule
WHERE granule.cumulus_create_time < timestamptz 'epoch' + CAST(:until AS float8) * interval '1 millisecond'
    AND (CAST(:since AS float8) IS NULL
        OR granule.cumulus_create_time >= timestamptz 'epoch' + CAST(:since AS float8) * interval '1 millisecond')
    AND (CAST(:providers AS text[]) IS NULL OR granule.provider_id = ANY (CAST(:providers AS text[])))
    AND (CAST(:after_place AS text) IS NULL
        OR ((granule.cumulus_granule_id || ':' || granule.collection_id) COLLATE "C", granule.id)
            > (CAST(:after_place AS text) COLLATE "C", CAST(:after_id AS int8)))
ORDER BY (granule.cumulus_granule_id || ':' || granule.collection_id) COLLATE "C", granule.id
LIMIT :most OFFSET :skip;

-- name: granules_of_collections
-- Each collection in the order of the index daemon_granules_collection_order, then merged.  "coalesce" keeps the
-- planner from another index, whose rows it would have to sort, and from multiplying two shares that are one.
SELECT page.*
FROM (SELECT DISTINCT unnest(CAST(:collections AS text[])) AS collection_id) AS asked
CROSS JOIN LATERAL (
    SELECT
        granule.id AS row_id,
        granule.cumulus_granule_id || ':' || granule.collection_id AS place,
        granule.provider_id AS "providerId",
        granule.collection_id AS "collectionId",
        granule.cumulus_granule_id AS id,
        granule.cumulus_create_time AS "createdAt",
        granule.execution_id AS "executionId",
        granule.ingest_time AS "ingestDate",
        granule.last_update AS "lastUpdate"
    FROM orca.granules AS granule
    WHERE hashtext(granule.collection_id) = hashtext(asked.collection_id)
        AND coalesce(granule.collection_id = asked.collection_id, false)
        AND granule.cumulus_create_time < timestamptz 'epoch' + CAST(:until AS float8) * interval '1 millisecond'
        AND (CAST(:since AS float8) IS NULL
            OR granule.cumulus_create_time >= timestamptz 'epoch' + CAST(:since AS float8) * interval '1 millisecond')
        AND (CAST(:providers AS text[]) IS NULL OR granule.provider_id = ANY (CAST(:providers AS text[])))
        AND (CAST(:after_place AS text) IS NULL
            OR ((granule.cumulus_granule_id || ':' || granule.collection_id) COLLATE "C", granule.id)
                > (CAST(:after_place AS text) COLLATE "C", CAST(:after_id AS int8)))
    ORDER BY (granule.cumulus_granule_id || ':' || granule.collection_id) COLLATE "C", granule.id
    LIMIT CAST(:most AS int8) + CAST(:skip AS int8)
) AS page
ORDER BY page.place COLLATE "C", page.row_id
LIMIT :most OFFSET :skip;

-- name: granules_of_ids
-- A granule id is a range of daemon_granules_order, because ';' is the character after ':'.  OFFSET 0 keeps the
-- planner from another way: no index begins with the id.
SELECT page.*
FROM (SELECT DISTINCT unnest(CAST(:granules AS text[])) AS granule_id) AS asked
CROSS JOIN LATERAL (
    SELECT
        granule.id AS row_id,
        granule.cumulus_granule_id || ':' || granule.collection_id AS place,
        granule.provider_id AS "providerId",
        granule.collection_id AS "collectionId",
        granule.cumulus_granule_id AS id,
        granule.cumulus_create_time AS "createdAt",
        granule.execution_id AS "executionId",
        granule.ingest_time AS "ingestDate",
        granule.last_update AS "lastUpdate"
    FROM orca.granules AS granule
    WHERE (granule.cumulus_granule_id || ':' || granule.collection_id) COLLATE "C" >= asked.granule_id || ':'
        AND (granule.cumulus_granule_id || ':' || granule.collection_id) COLLATE "C" < asked.granule_id || ';'
    OFFSET 0
) AS page
WHERE page.id = asked.granule_id
    AND page."createdAt" < timestamptz 'epoch' + CAST(:until AS float8) * interval '1 millisecond'
    AND (CAST(:since AS float8) IS NULL
        OR page."createdAt" >= timestamptz 'epoch' + CAST(:since AS float8) * interval '1 millisecond')
    AND (CAST(:providers AS text[]) IS NULL OR page."providerId" = ANY (CAST(:providers AS text[])))
    AND (CAST(:collections AS text[]) IS NULL OR page."collectionId" = ANY (CAST(:collections AS text[])))
    AND (CAST(:after_place AS text) IS NULL
        OR (page.place COLLATE "C", page.row_id) > (CAST(:after_place AS text) COLLATE "C", CAST(:after_id AS int8)))
ORDER BY page.place COLLATE "C", page.row_id
LIMIT :most OFFSET :skip;

-- name: granules_of_rows
SELECT
    granule.id AS row_id,
    granule.cumulus_granule_id || ':' || granule.collection_id AS place,
    granule.provider_id AS "providerId",
    granule.collection_id AS "collectionId",
    granule.cumulus_granule_id AS id,
    granule.cumulus_create_time AS "createdAt",
    granule.execution_id AS "executionId",
    granule.ingest_time AS "ingestDate",
    granule.last_update AS "lastUpdate"
FROM orca.granules AS granule
WHERE granule.id = ANY (CAST(:rows AS int8[]))
ORDER BY (granule.cumulus_granule_id || ':' || granule.collection_id) COLLATE "C", granule.id;

-- name: limit_statements
SELECT set_config('statement_timeout', :limit, true);

-- name: read_by_bitmap
-- By a bitmap Postgres asks for many pages of the table at once; an index scan waits for one after another, which takes
-- twice as long if they come from a disk.
SELECT set_config('enable_indexscan', 'off', true);

-- name: files
SELECT
    file.granule_id AS row_id,
    file.name,
    file.cumulus_archive_location AS "cumulusArchiveLocation",
    file.orca_archive_location AS "orcaArchiveLocation",
    file.key_path AS "keyPath",
    file.size_in_bytes AS "sizeBytes",
    file.hash,
    file.hash_type AS "hashType",
    class.value AS "storageClass",
    file.version
FROM orca.files AS file
JOIN orca.storage_class AS class ON class.id = file.storage_class_id
WHERE file.granule_id = ANY (CAST(:rows AS int8[]))
LIMIT :most;

-- name: pages_of_granules
SELECT greatest(1, pg_relation_size('orca.granules') / current_setting('block_size')::int8);

-- name: sample
SELECT granule.cumulus_granule_id || ':' || granule.collection_id AS place
FROM orca.granules AS granule TABLESAMPLE SYSTEM (:percent)
WHERE (CAST(:collections AS text[]) IS NULL OR granule.collection_id = ANY (CAST(:collections AS text[])))
LIMIT :most;

-- name: survey
-- How many rows of the list lie between these places: one pass over the table.
SELECT
    width_bucket(
        (granule.cumulus_granule_id || ':' || granule.collection_id) COLLATE "C",
        CAST(:places AS text[]) COLLATE "C"
    ) AS bucket,
    count(*) AS granules
FROM orca.granules AS granule
WHERE granule.cumulus_create_time < timestamptz 'epoch' + CAST(:until AS float8) * interval '1 millisecond'
    AND (CAST(:since AS float8) IS NULL
        OR granule.cumulus_create_time >= timestamptz 'epoch' + CAST(:since AS float8) * interval '1 millisecond')
    AND (CAST(:providers AS text[]) IS NULL OR granule.provider_id = ANY (CAST(:providers AS text[])))
    AND (CAST(:collections AS text[]) IS NULL OR granule.collection_id = ANY (CAST(:collections AS text[])))
GROUP BY 1
ORDER BY 1;
