-- name: state
SELECT
    current_setting('transaction_read_only') = 'on' AS read_only,
    ARRAY(
        SELECT table_.relname::text
        FROM pg_catalog.pg_class AS table_
        JOIN pg_catalog.pg_namespace AS schema_ ON schema_.oid = table_.relnamespace
        WHERE schema_.nspname = 'orca'
            AND table_.relname IN (
                'recovery_job', 'recovery_file', 'reconcile_job', 'providers', 'collections', 'granules', 'files'
            )
            AND has_schema_privilege(schema_.oid, 'USAGE')
            AND has_table_privilege(table_.oid, 'INSERT')
    ) AS writable;

-- name: limits
-- Shorter than the time limit of the probe.
SET LOCAL lock_timeout = '4s'; SET LOCAL statement_timeout = '8s';
SET LOCAL work_mem = '64kB'; SET LOCAL temp_tablespaces = '';

-- name: spill
-- Does not fit into `work_mem`, so 280 kB go to a file beside the tables: needs space on the disk, and no privilege.
SELECT count(*) FROM generate_series(1, 20000);

-- name: recovery_job
INSERT INTO orca.recovery_job
    (job_id, collection_id, granule_id, archive_destination, status_id, request_time)
VALUES (:name, :name, :name, :name, 1, now());

-- name: recovery_file
INSERT INTO orca.recovery_file (
    job_id, collection_id, granule_id, filename, key_path, restore_destination, status_id, request_time, last_update
)
VALUES (:name, :name, :name, :name, :name, :name, 1, now(), now());

-- name: reconcile_job
-- With an explicit id, because a roll-back does not return numbers to the sequence.
INSERT INTO orca.reconcile_job
    (id, orca_archive_location, status_id, inventory_creation_time, start_time, last_update)
VALUES (-1 - pg_backend_pid(), :name, 1, now(), now(), now());

-- name: providers
INSERT INTO orca.providers (provider_id) VALUES (:name);

-- name: collections
INSERT INTO orca.collections (collection_id, shortname, version) VALUES (:name, :name, :name);

-- name: granules
INSERT INTO orca.granules (
    id, provider_id, collection_id, cumulus_granule_id, execution_id, ingest_time, cumulus_create_time, last_update
)
VALUES (-1 - pg_backend_pid(), :name, :name, :name, :name, now(), now(), now());

-- name: files
INSERT INTO orca.files (
    id, granule_id, name, orca_archive_location, cumulus_archive_location, key_path, ingest_time, etag, version,
    size_in_bytes, storage_class_id
)
VALUES (-1 - pg_backend_pid(), -1 - pg_backend_pid(), :name, :name, :name, :name, now(), :name, :name, 0, 1);
