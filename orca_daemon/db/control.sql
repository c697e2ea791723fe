-- name: missing
SELECT count(*) FROM unnest(CAST(:tables AS text[])) AS named (name) WHERE to_regclass('orca.' || named.name) IS NULL;

-- name: paused
SELECT queue, who, why, since FROM orca.orca_daemon_control WHERE paused ORDER BY queue;

-- name: pause
-- A queue that is paused already keeps its first pause.
INSERT INTO orca.orca_daemon_control AS control (queue, paused, who, why, since)
SELECT queue, true, :who, :why, clock_timestamp() FROM unnest(CAST(:queues AS text[])) AS named (queue) ORDER BY queue
ON CONFLICT (queue) DO UPDATE
SET paused = true, who = excluded.who, why = excluded.why, since = excluded.since
WHERE NOT control.paused
RETURNING queue;

-- name: resume
UPDATE orca.orca_daemon_control SET paused = false, who = :who, why = '', since = clock_timestamp()
WHERE queue = ANY(CAST(:queues AS text[])) AND paused
RETURNING queue;

-- name: write_process
INSERT INTO orca.orca_daemon_process (id, host, version, started_at, seen_at, state)
VALUES (:id, :host, :version, :started_at, clock_timestamp(), CAST(:state AS jsonb))
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, state = excluded.state;

-- name: expire_processes
DELETE FROM orca.orca_daemon_process WHERE seen_at < clock_timestamp() - make_interval(secs => :age);

-- name: remove_process
DELETE FROM orca.orca_daemon_process WHERE id = :id;

-- name: processes
SELECT id, host, version, started_at, seen_at, state,
    extract(epoch FROM clock_timestamp() - seen_at)::float8 AS silent
FROM orca.orca_daemon_process
ORDER BY host, started_at, id;
