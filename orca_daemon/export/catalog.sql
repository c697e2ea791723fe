-- name: relation
SELECT c.oid, n.nspname, c.relname, c.relkind IN ('r', 'p', 'm') AS has_writers,
       c.relrowsecurity AND pg_catalog.row_security_active(c.oid) AS hidden, current_user AS role
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
-- Domains, of columns and of the elements of arrays, are replaced by their base types.
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
), columns AS (
    SELECT s.*, t.typname, t.typnamespace, t.oid AS array_type,
           CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND e.typarray = t.oid THEN e.oid END AS element
    FROM stripped s
    JOIN pg_catalog.pg_type t ON t.oid = s.type AND t.typtype <> 'd'
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
), elements AS (
    SELECT c.attnum, c.element AS type, c.modifier FROM columns c WHERE c.element IS NOT NULL
    UNION ALL
    SELECT e.attnum, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE e.modifier END
    FROM elements e
    JOIN pg_catalog.pg_type t ON t.oid = e.type AND t.typtype = 'd'
)
SELECT c.attname, c.declared, coalesce(e.modifier, c.modifier) AS modifier, c.dimensions,
       CASE WHEN c.typnamespace = 'pg_catalog'::regnamespace THEN c.typname ELSE '' END AS type,
       CASE WHEN c.element IS NULL THEN NULL
            WHEN b.typnamespace = 'pg_catalog'::regnamespace AND b.typcategory <> 'A' THEN b.typname
            ELSE '' END AS element
FROM columns c
LEFT JOIN elements e ON e.attnum = c.attnum
    AND EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = e.type AND t.typtype <> 'd')
LEFT JOIN pg_catalog.pg_type b ON b.oid = e.type
ORDER BY c.attnum

-- name: cluster
SELECT CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
       THEN (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) ELSE '' END

-- name: lock
SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(:name, 8117))
