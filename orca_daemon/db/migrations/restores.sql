-- name: table
-- One row for each file of each restore request.
CREATE TABLE IF NOT EXISTS orca.orca_daemon_restore (
    job_id text NOT NULL,
    collection_id text NOT NULL,
    granule_id text NOT NULL,
    filename text NOT NULL,
    archive text NOT NULL,
    key_path text NOT NULL,
    size_in_bytes bigint NOT NULL,
    step text NOT NULL CONSTRAINT orca_daemon_restore_step CHECK (step IN ('ask', 'wait', 'extend', 'copy', 'fail')),
    tier text NOT NULL,
    requested_at timestamptz NOT NULL,
    done_at timestamptz,
    expires_at timestamptz,
    error_message text,
    request text NOT NULL,
    CONSTRAINT orca_daemon_restore_key PRIMARY KEY (job_id, collection_id, granule_id, filename)
);

-- name: by_day
CREATE INDEX IF NOT EXISTS orca_daemon_restore_requested ON orca.orca_daemon_restore (requested_at);

-- name: unfinished
CREATE INDEX IF NOT EXISTS orca_daemon_restore_unfinished ON orca.orca_daemon_restore (request) WHERE done_at IS NULL;

-- name: grants
DO $$
BEGIN
    IF to_regrole('orca_app') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON orca.orca_daemon_restore TO orca_app;
    END IF;
END $$;
