-- name: columns
SELECT table_.relname, column_.attname
FROM pg_catalog.pg_class AS table_
JOIN pg_catalog.pg_namespace AS schema_ ON schema_.oid = table_.relnamespace
JOIN pg_catalog.pg_attribute AS column_ ON column_.attrelid = table_.oid
WHERE schema_.nspname = 'orca' AND table_.relkind IN ('r', 'p')
    AND column_.attnum > 0 AND NOT column_.attisdropped;

-- name: indexes
SELECT index_.relname
FROM pg_catalog.pg_class AS index_
JOIN pg_catalog.pg_namespace AS schema_ ON schema_.oid = index_.relnamespace
JOIN pg_catalog.pg_index AS entry ON entry.indexrelid = index_.oid
WHERE schema_.nspname = 'orca' AND entry.indisvalid;

-- name: constraints
SELECT table_.relname, entry.conname
FROM pg_catalog.pg_constraint AS entry
JOIN pg_catalog.pg_class AS table_ ON table_.oid = entry.conrelid
JOIN pg_catalog.pg_namespace AS schema_ ON schema_.oid = table_.relnamespace
WHERE schema_.nspname = 'orca';

-- name: may_read_versions
SELECT has_schema_privilege(schema_.oid, 'USAGE') AND has_table_privilege(table_.oid, 'SELECT')
FROM pg_catalog.pg_class AS table_
JOIN pg_catalog.pg_namespace AS schema_ ON schema_.oid = table_.relnamespace
WHERE schema_.nspname = 'orca' AND table_.relname = 'schema_versions';

-- name: recorded_version
SELECT max(version_id) FROM orca.schema_versions WHERE is_latest;

-- name: partitions_without_job_index
SELECT part.relname
FROM pg_catalog.pg_inherits AS link
JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid
JOIN pg_catalog.pg_namespace AS own ON own.oid = part.relnamespace AND own.nspname = 'orca'
JOIN pg_catalog.pg_class AS whole ON whole.oid = link.inhparent AND whole.relname = 'reconcile_s3_object'
JOIN pg_catalog.pg_namespace AS schema_ ON schema_.oid = whole.relnamespace AND schema_.nspname = 'orca'
WHERE NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_index AS entry
        JOIN pg_catalog.pg_attribute AS first_column ON first_column.attrelid = part.oid
            AND first_column.attnum = entry.indkey[0]
        WHERE entry.indrelid = part.oid AND entry.indisvalid AND first_column.attname = 'job_id'
    );

-- name: partitions
SELECT pg_get_expr(part.relpartbound, part.oid)
FROM pg_catalog.pg_inherits AS link
JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid
JOIN pg_catalog.pg_class AS whole ON whole.oid = link.inhparent
JOIN pg_catalog.pg_namespace AS schema_ ON schema_.oid = whole.relnamespace
WHERE schema_.nspname = 'orca' AND whole.relname = 'reconcile_s3_object';
