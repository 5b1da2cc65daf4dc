-- Statements that make the tables anew in a schema of their own, with primary keys alone: other indexes are cheaper built at the end.
-- $1 schema. The comment is how the schema is known again. Observations get their key when they are there (swap_take.sql), if the stage's
-- columns are the first ones of theirs.
WITH live AS ( -- the tables that are exchanged, where the session finds them
    SELECT c.oid, c.relname, n.nspname, c.relowner, c.relacl, c.reloptions FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid IN ('patient'::regclass, 'patient_zip'::regclass, 'observation'::regclass, 'zipcode'::regclass)
), fits AS (
    SELECT array_agg(s.attname ORDER BY s.attnum) = (SELECT array_agg(l.attname ORDER BY l.attnum) FROM pg_attribute l
            WHERE l.attrelid = 'observation'::regclass AND l.attnum > 0 AND NOT l.attisdropped AND EXISTS (SELECT FROM pg_attribute e
                WHERE e.attrelid = 'stage.observation'::regclass AND e.attname = l.attname AND NOT e.attisdropped))
        AND max(p.at) = count(*) AS well
    FROM pg_attribute s
    JOIN (SELECT attname, row_number() OVER (ORDER BY attnum) AS at FROM pg_attribute
        WHERE attrelid = 'observation'::regclass AND attnum > 0 AND NOT attisdropped) p ON p.attname = s.attname
    WHERE s.attrelid = 'stage.observation'::regclass AND s.attnum > 0 AND NOT s.attisdropped
)
SELECT statement FROM (
    SELECT 1 AS n, format('CREATE SCHEMA %I', $1::text) AS statement
    UNION ALL SELECT 2 AS n, format('COMMENT ON SCHEMA %I IS %L', $1::text, 'fhirline replay: being loaded')
    UNION ALL SELECT 3 AS n, format('CREATE TABLE %I.%I (LIKE %I.%I INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)', $1::text, relname, nspname, relname) FROM live
    UNION ALL SELECT 4 AS n, format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', $1::text, l.relname, k.conname, pg_get_constraintdef(k.oid))
        FROM live l JOIN pg_constraint k ON k.conrelid = l.oid AND k.contype = 'p'
        WHERE l.relname <> 'observation' OR NOT (SELECT well FROM fits)
    UNION ALL SELECT 5 AS n, format('ALTER TABLE %I.%I SET (%s)', $1::text, relname, array_to_string(reloptions, ', ')) FROM live WHERE reloptions IS NOT NULL
) s ORDER BY n
