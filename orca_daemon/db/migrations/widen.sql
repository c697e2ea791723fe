-- name: storage_class_columns
-- The defaults fill the tables without rewriting them; then the defaults are dropped.
ALTER TABLE orca.files
    ADD COLUMN storage_class_id int2 NOT NULL DEFAULT 1
        CONSTRAINT fk_recovery_file_storage_class REFERENCES orca.storage_class;
ALTER TABLE orca.files ALTER COLUMN storage_class_id DROP DEFAULT;
ALTER TABLE orca.reconcile_phantom_report
    ADD COLUMN orca_storage_class_id int2 NOT NULL DEFAULT 1
        CONSTRAINT fk_phantom_orca_storage_class REFERENCES orca.storage_class;
ALTER TABLE orca.reconcile_phantom_report ALTER COLUMN orca_storage_class_id DROP DEFAULT;
ALTER TABLE orca.reconcile_catalog_mismatch_report
    ADD COLUMN orca_storage_class_id int2 NOT NULL DEFAULT 1
        CONSTRAINT fk_mismatch_orca_storage_class REFERENCES orca.storage_class,
    ADD COLUMN s3_storage_class text NOT NULL DEFAULT 'GLACIER';
ALTER TABLE orca.reconcile_catalog_mismatch_report
    ALTER COLUMN orca_storage_class_id DROP DEFAULT,
    ALTER COLUMN s3_storage_class DROP DEFAULT;

-- name: collection_columns
ALTER TABLE orca.recovery_file DROP CONSTRAINT fk_recovery_file_recoverjob;
ALTER TABLE orca.recovery_file DROP CONSTRAINT pk_recovery_file;
ALTER TABLE orca.recovery_job DROP CONSTRAINT pk_recovery_job;
-- The default fills a table without rewriting it; only rows of granules in the catalog are then updated.
ALTER TABLE orca.recovery_job ADD COLUMN collection_id text NOT NULL DEFAULT 'UNKNOWN';
ALTER TABLE orca.recovery_file ADD COLUMN collection_id text NOT NULL DEFAULT 'UNKNOWN';

-- name: fill_job_collections
UPDATE orca.recovery_job AS job
SET collection_id = known.collection_id
FROM (
    -- Only granule ids that one collection uses: if several do, it is unknown which one was meant.
    SELECT cumulus_granule_id AS granule_id, min(collection_id) AS collection_id
    FROM orca.granules
    GROUP BY cumulus_granule_id
    HAVING count(*) = 1
) AS known
WHERE job.granule_id = known.granule_id;

-- name: fill_file_collections
UPDATE orca.recovery_file AS file
SET collection_id = job.collection_id
FROM orca.recovery_job AS job
WHERE file.job_id = job.job_id AND file.granule_id = job.granule_id AND job.collection_id <> 'UNKNOWN';

-- name: collection_keys
ALTER TABLE orca.recovery_job
    ALTER COLUMN collection_id DROP DEFAULT,
    ADD CONSTRAINT pk_recovery_job PRIMARY KEY (job_id, collection_id, granule_id);
ALTER TABLE orca.recovery_file
    ALTER COLUMN collection_id DROP DEFAULT,
    ADD CONSTRAINT pk_recovery_file PRIMARY KEY (job_id, collection_id, granule_id, filename),
    ADD CONSTRAINT fk_recovery_file_recoverjob FOREIGN KEY (job_id, collection_id, granule_id)
        REFERENCES orca.recovery_job;
