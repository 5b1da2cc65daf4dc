-- Statements that give the new tables what indexes and unique constraints the live ones have and they have not. $1 schema.
WITH live AS ( -- the tables that are exchanged, where the session finds them
    SELECT c.oid, c.relname, n.nspname, c.relowner, c.relacl, c.reloptions FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid IN ('patient'::regclass, 'patient_zip'::regclass, 'observation'::regclass, 'zipcode'::regclass)
)
SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', $1::text, l.relname, k.conname, pg_get_constraintdef(k.oid))
FROM live l JOIN pg_constraint k ON k.conrelid = l.oid AND k.contype IN ('u', 'x')
WHERE to_regclass(format('%I.%I', $1::text, k.conname)) IS NULL
UNION ALL
SELECT replace(pg_get_indexdef(i.indexrelid), format(' ON %I.%I USING ', l.nspname, l.relname), format(' ON %I.%I USING ', $1::text, l.relname))
FROM live l JOIN pg_index i ON i.indrelid = l.oid JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
    AND to_regclass(format('%I.%I', $1::text, c.relname)) IS NULL
UNION ALL
SELECT format('ANALYZE %I.%I', $1::text, relname) FROM live
