-- name: create_roles
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['orca_dbo', 'orca_app'] LOOP
        BEGIN
            IF to_regrole(role) IS NULL THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            END IF;
        EXCEPTION
            -- Roles belong to the whole server: an upgrade of another database may create it at the same time.
            WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
        END;
    END LOOP;
END $$;

-- name: join_owner
DO $$
BEGIN
    IF to_regrole('orca_dbo') IS NOT NULL AND NOT pg_has_role('orca_dbo', 'MEMBER') THEN
        EXECUTE format('GRANT orca_dbo TO %I', current_user);
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN NULL;
END $$;

-- name: may_be_owner
SELECT to_regrole('orca_dbo') IS NOT NULL AND pg_has_role('orca_dbo', 'MEMBER');

-- name: create_schema_of_owner
DO $$
BEGIN
    EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO orca_dbo', current_database());
    CREATE SCHEMA IF NOT EXISTS orca AUTHORIZATION orca_dbo;
END $$;

-- name: create_schema
CREATE SCHEMA IF NOT EXISTS orca;

-- name: grants
DO $$
BEGIN
    IF to_regrole('orca_app') IS NULL THEN
        RETURN;
    END IF;
    GRANT USAGE ON SCHEMA orca TO orca_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA orca
        GRANT SELECT, INSERT, UPDATE, DELETE, REFERENCES, TRIGGER ON TABLES TO orca_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA orca GRANT ALL ON SEQUENCES TO orca_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA orca GRANT EXECUTE ON FUNCTIONS TO orca_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA orca GRANT USAGE ON TYPES TO orca_app;
END $$;

-- name: owner
SELECT owner.rolname, pg_has_role(owner.oid, 'MEMBER')
FROM pg_catalog.pg_namespace AS schema_
LEFT JOIN pg_catalog.pg_class AS table_ ON table_.relnamespace = schema_.oid AND table_.relname = 'recovery_job'
JOIN pg_catalog.pg_roles AS owner ON owner.oid = coalesce(table_.relowner, schema_.nspowner)
WHERE schema_.nspname = 'orca';
