-- name: relation
SELECT c.oid, n.nspname, c.relname, c.relkind IN ('r', 'p', 'm') AS has_writers
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = :name
  AND c.relkind IN ('r', 'p', 'm', 'v', 'f')
  AND CASE WHEN CAST(:schema AS text) IS NULL
      THEN pg_catalog.pg_table_is_visible(c.oid)
      ELSE n.nspname = :schema END

-- name: relations
SELECT DISTINCT c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f')
  AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND CASE WHEN CAST(:schema AS text) IS NULL
      THEN pg_catalog.pg_table_is_visible(c.oid)
      ELSE n.nspname = :schema END
ORDER BY 1

-- name: columns
WITH RECURSIVE stripped AS (
    SELECT a.attnum, a.attname, a.atttypid AS type, a.atttypmod AS modifier, a.attndims::int AS dimensions,
           pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT s.attnum, s.attname, t.typbasetype,
           CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE s.modifier END,
           greatest(s.dimensions, t.typndims), s.declared
    FROM stripped s
    JOIN pg_catalog.pg_type t ON t.oid = s.type AND t.typtype = 'd'
)
SELECT s.attname, s.declared, s.modifier, s.dimensions,
       CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname ELSE '' END AS type,
       CASE WHEN e.oid IS NULL THEN NULL
            WHEN e.typnamespace = 'pg_catalog'::regnamespace THEN e.typname ELSE '' END AS element
FROM stripped s
JOIN pg_catalog.pg_type t ON t.oid = s.type AND t.typtype <> 'd'
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' AND t.typlen = -1 AND e.typarray = t.oid
ORDER BY s.attnum

-- name: cluster
SELECT CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
       THEN (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) ELSE '' END

-- name: lock
SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(:name, 8117))
