-- name: control
-- One row for each queue that was ever paused by a command or the console; a queue without a row is not paused.
CREATE TABLE IF NOT EXISTS orca.orca_daemon_control (
    queue text NOT NULL,
    paused boolean NOT NULL,
    who text NOT NULL,
    why text NOT NULL,
    since timestamptz NOT NULL,
    CONSTRAINT orca_daemon_control_key PRIMARY KEY (queue)
);

-- name: process
-- One row for each daemon that runs; each writes its own.
CREATE TABLE IF NOT EXISTS orca.orca_daemon_process (
    id uuid NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    state jsonb NOT NULL CONSTRAINT orca_daemon_process_size CHECK (octet_length(state::text) <= 16384),
    CONSTRAINT orca_daemon_process_key PRIMARY KEY (id)
);

-- name: dead_letter
-- What the daemon knows of each dead letter that it sent: facts as in a log line, never the body.
CREATE TABLE IF NOT EXISTS orca.orca_daemon_dead_letter (
    id text NOT NULL,
    original_id text NOT NULL,
    queue text NOT NULL,
    group_id text,
    reason text NOT NULL,
    error_type text,
    facts jsonb NOT NULL,
    dead_lettered_at timestamptz NOT NULL,
    expires_at timestamptz,
    redriven_at timestamptz,
    deleted_at timestamptz,
    CONSTRAINT orca_daemon_dead_letter_key PRIMARY KEY (id)
);

-- name: dead_letter_by_time
CREATE INDEX IF NOT EXISTS orca_daemon_dead_letter_time ON orca.orca_daemon_dead_letter (dead_lettered_at);

-- name: dead_letter_by_queue
CREATE INDEX IF NOT EXISTS orca_daemon_dead_letter_open ON orca.orca_daemon_dead_letter (queue, dead_lettered_at)
WHERE redriven_at IS NULL AND deleted_at IS NULL;

-- name: dead_letter_by_expiry
CREATE INDEX IF NOT EXISTS orca_daemon_dead_letter_expiry ON orca.orca_daemon_dead_letter (expires_at);

-- name: action
-- What operators did: written before an action begins, and after it.
CREATE TABLE IF NOT EXISTS orca.orca_daemon_action (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    filter jsonb NOT NULL,
    wanted bigint,
    done bigint NOT NULL,
    seen_at timestamptz NOT NULL,
    finished_at timestamptz,
    error_message text,
    result jsonb,
    CONSTRAINT orca_daemon_action_key PRIMARY KEY (id)
);

-- name: action_by_time
CREATE INDEX IF NOT EXISTS orca_daemon_action_time ON orca.orca_daemon_action (at);

-- name: grants
DO $$
BEGIN
    IF to_regrole('orca_app') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE
        ON orca.orca_daemon_control, orca.orca_daemon_process, orca.orca_daemon_dead_letter, orca.orca_daemon_action
        TO orca_app;
    END IF;
END $$;
