-- name: role
SELECT
    current_user,
    pg_is_in_recovery(),
    (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
    current_setting('server_version'),
    has_database_privilege(current_database(), 'TEMPORARY');

-- name: may_write
SELECT
    table_.relname,
    has_schema_privilege(schema_.oid, 'USAGE')
    AND has_table_privilege(table_.oid, 'SELECT')
    AND has_table_privilege(table_.oid, 'INSERT')
    AND has_table_privilege(table_.oid, 'UPDATE')
    AND has_table_privilege(table_.oid, 'DELETE') AS allowed
FROM pg_catalog.pg_class AS table_
JOIN pg_catalog.pg_namespace AS schema_ ON schema_.oid = table_.relnamespace
WHERE schema_.nspname = 'orca'
    AND table_.relname IN (
        'recovery_job', 'recovery_file', 'reconcile_job', 'reconcile_orphan_report',
        'providers', 'collections', 'granules', 'files'
    )
ORDER BY table_.relname;

-- name: hidden
SELECT table_.relname
FROM pg_catalog.pg_class AS table_
JOIN pg_catalog.pg_namespace AS schema_ ON schema_.oid = table_.relnamespace
WHERE schema_.nspname = 'orca' AND table_.relkind IN ('r', 'p') AND table_.relrowsecurity
    AND row_security_active(table_.oid)
ORDER BY table_.relname;
