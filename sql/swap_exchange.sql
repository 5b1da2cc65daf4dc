-- Statements that exchange the tables: the former ones are in the schema then. $1 schema.
WITH live AS ( -- the tables that are exchanged, where the session finds them
    SELECT c.oid, c.relname, n.nspname, c.relowner, c.relacl, c.reloptions FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid IN ('patient'::regclass, 'patient_zip'::regclass, 'observation'::regclass, 'zipcode'::regclass)
)
SELECT statement FROM (
    SELECT 1 AS n, format('CREATE SCHEMA %I', $1::text || '_former') AS statement
    UNION ALL SELECT 2 AS n, format('ALTER TABLE %I.%I SET SCHEMA %I', nspname, relname, $1::text || '_former') FROM live
    UNION ALL SELECT 3 AS n, format('ALTER TABLE %I.%I SET SCHEMA %I', $1::text, relname, nspname) FROM live
    UNION ALL SELECT 4 AS n, format('DROP SCHEMA %I', $1::text)
    UNION ALL SELECT 5 AS n, format('ALTER SCHEMA %I RENAME TO %I', $1::text || '_former', $1::text)
    UNION ALL SELECT 6 AS n, format('COMMENT ON SCHEMA %I IS %L', $1::text, 'fhirline replay: the tables that were exchanged')
) s ORDER BY n
