-- name: recovery
CREATE TABLE orca.recovery_status (
    id int2 CONSTRAINT pk_recovery_status PRIMARY KEY,
    value text NOT NULL CONSTRAINT unique_recovery_status_value UNIQUE
);
INSERT INTO orca.recovery_status (id, value)
VALUES (1, 'pending'), (2, 'staged'), (3, 'error'), (4, 'success');

CREATE TABLE orca.recovery_job (
    job_id text NOT NULL,
    collection_id text NOT NULL,
    granule_id text NOT NULL,
    archive_destination text NOT NULL,
    status_id int2 NOT NULL CONSTRAINT fk_recovery_job_status REFERENCES orca.recovery_status,
    request_time timestamptz NOT NULL,
    completion_time timestamptz,
    CONSTRAINT pk_recovery_job PRIMARY KEY (job_id, collection_id, granule_id)
);

CREATE TABLE orca.recovery_file (
    job_id text NOT NULL,
    collection_id text NOT NULL,
    granule_id text NOT NULL,
    filename text NOT NULL,
    key_path text NOT NULL,
    multipart_chunksize_mb integer,
    restore_destination text NOT NULL,
    status_id int2 NOT NULL CONSTRAINT fk_recovery_file_status REFERENCES orca.recovery_status,
    error_message text,
    request_time timestamptz NOT NULL,
    last_update timestamptz NOT NULL,
    completion_time timestamptz,
    CONSTRAINT pk_recovery_file PRIMARY KEY (job_id, collection_id, granule_id, filename),
    CONSTRAINT fk_recovery_file_recoverjob FOREIGN KEY (job_id, collection_id, granule_id)
        REFERENCES orca.recovery_job
);

-- name: catalog
CREATE TABLE orca.providers (
    provider_id text CONSTRAINT pk_providers PRIMARY KEY,
    name text
);

CREATE TABLE orca.collections (
    collection_id text CONSTRAINT pk_collections PRIMARY KEY,
    shortname text NOT NULL,
    version text NOT NULL
);

CREATE TABLE orca.granules (
    id bigserial CONSTRAINT pk_granules PRIMARY KEY,
    provider_id text NOT NULL CONSTRAINT fk_provider_granule REFERENCES orca.providers,
    collection_id text NOT NULL CONSTRAINT fk_collection_granule REFERENCES orca.collections,
    cumulus_granule_id text NOT NULL,
    execution_id text NOT NULL,
    ingest_time timestamptz NOT NULL,
    cumulus_create_time timestamptz NOT NULL,
    last_update timestamptz NOT NULL,
    CONSTRAINT unique_collection_granule_id UNIQUE (collection_id, cumulus_granule_id)
);

CREATE TABLE orca.files (
    id bigserial CONSTRAINT pk_files PRIMARY KEY,
    granule_id bigint NOT NULL CONSTRAINT fk_granule_file REFERENCES orca.granules,
    name text NOT NULL,
    orca_archive_location text NOT NULL,
    cumulus_archive_location text NOT NULL,
    key_path text NOT NULL,
    ingest_time timestamptz NOT NULL,
    etag text NOT NULL,
    version text NOT NULL,
    size_in_bytes int8 NOT NULL,
    hash text,
    hash_type text,
    storage_class_id int2 NOT NULL CONSTRAINT fk_recovery_file_storage_class REFERENCES orca.storage_class,
    CONSTRAINT unique_orca_archive_location_key_path UNIQUE (orca_archive_location, key_path),
    CONSTRAINT unique_cumulus_archive_location_key_path UNIQUE (cumulus_archive_location, key_path)
);

-- name: reconciliation
CREATE TABLE orca.reconcile_status (
    id int2 CONSTRAINT pk_reconcile_status PRIMARY KEY,
    value text NOT NULL CONSTRAINT unique_reconcile_status_value UNIQUE
);
INSERT INTO orca.reconcile_status (id, value)
VALUES (1, 'getting S3 list'), (2, 'staged'), (3, 'generating reports'), (4, 'error'), (5, 'success');

CREATE TABLE orca.reconcile_job (
    id bigserial CONSTRAINT pk_reconcile_job PRIMARY KEY,
    orca_archive_location text NOT NULL,
    status_id int2 NOT NULL CONSTRAINT fk_reconcile_job_status REFERENCES orca.reconcile_status,
    inventory_creation_time timestamptz NOT NULL,
    start_time timestamptz NOT NULL,
    last_update timestamptz NOT NULL,
    end_time timestamptz,
    error_message text
);

CREATE TABLE orca.reconcile_s3_object (
    job_id int8 NOT NULL,
    orca_archive_location text NOT NULL,
    key_path text NOT NULL,
    etag text NOT NULL,
    last_update timestamptz NOT NULL,
    size_in_bytes int8 NOT NULL,
    storage_class text NOT NULL,
    delete_marker bool NOT NULL DEFAULT false
) PARTITION BY LIST (orca_archive_location);

CREATE TABLE orca.reconcile_phantom_report (
    job_id int8 NOT NULL CONSTRAINT fk_reconcile_job_phantom_report REFERENCES orca.reconcile_job,
    collection_id text NOT NULL,
    granule_id text NOT NULL,
    filename text NOT NULL,
    key_path text NOT NULL,
    orca_etag text NOT NULL,
    orca_last_update timestamptz NOT NULL,
    orca_size int8 NOT NULL,
    orca_storage_class_id int2 NOT NULL CONSTRAINT fk_phantom_orca_storage_class REFERENCES orca.storage_class,
    CONSTRAINT pk_reconcile_phantom_report PRIMARY KEY (job_id, collection_id, granule_id, key_path)
);

CREATE TABLE orca.reconcile_orphan_report (
    job_id int8 NOT NULL CONSTRAINT fk_reconcile_job_orphan_report REFERENCES orca.reconcile_job,
    key_path text NOT NULL,
    etag text NOT NULL,
    last_update timestamptz NOT NULL,
    size_in_bytes int8 NOT NULL,
    storage_class text NOT NULL,
    CONSTRAINT pk_reconcile_orphan_report PRIMARY KEY (job_id, key_path)
);

CREATE TABLE orca.reconcile_catalog_mismatch_report (
    job_id int8 NOT NULL CONSTRAINT fk_reconcile_job_mismatch_report REFERENCES orca.reconcile_job,
    collection_id text NOT NULL,
    granule_id text NOT NULL,
    filename text NOT NULL,
    key_path text NOT NULL,
    cumulus_archive_location text NOT NULL,
    orca_etag text NOT NULL,
    s3_etag text NOT NULL,
    orca_last_update timestamptz NOT NULL,
    s3_last_update timestamptz NOT NULL,
    orca_size_in_bytes int8 NOT NULL,
    s3_size_in_bytes int8 NOT NULL,
    orca_storage_class_id int2 NOT NULL CONSTRAINT fk_mismatch_orca_storage_class REFERENCES orca.storage_class,
    s3_storage_class text NOT NULL,
    discrepancy_type text NOT NULL,
    CONSTRAINT pk_reconcile_catalog_mismatch_report PRIMARY KEY (job_id, collection_id, granule_id, key_path)
);

-- name: storage_classes
CREATE TABLE orca.storage_class (
    id int2 CONSTRAINT pk_storage_class PRIMARY KEY,
    value text NOT NULL CONSTRAINT unique_storage_class_value UNIQUE
);
INSERT INTO orca.storage_class (id, value) VALUES (1, 'GLACIER'), (2, 'DEEP_ARCHIVE');

-- name: versions
CREATE TABLE orca.schema_versions (
    version_id int CONSTRAINT pk_schema_versions PRIMARY KEY,
    description text NOT NULL,
    install_date timestamptz NOT NULL,
    is_latest boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX idx_uniq_schema_versions_latest ON orca.schema_versions (is_latest) WHERE is_latest;

-- name: record_version
UPDATE orca.schema_versions SET is_latest = false WHERE is_latest AND version_id <> 7;
INSERT INTO orca.schema_versions (version_id, description, install_date, is_latest)
VALUES (7, 'Added collection_id to recovery job tables.', now(), true)
ON CONFLICT (version_id) DO UPDATE SET is_latest = true;
