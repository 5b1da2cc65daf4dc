-- Statements that make the renamed stage the table of observations, instead of copying it: the columns that a stage has of its own go, those
-- that it has not come, with the run as a constant. Nothing is written but the catalog and the key. $1 run id.
WITH there AS (
    SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = 'observation'::regclass
), live AS ( -- it stands beside the runs
    SELECT c.oid FROM pg_class c WHERE c.relname = 'observation' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'run'::regclass)
)
SELECT statement FROM (
    SELECT 1 AS n, 'ALTER TABLE stage.observation_{stage}_m DROP COLUMN batch_seq, DROP COLUMN line' || string_agg(format(', ADD COLUMN %I %s%s',
            a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attname = 'run_id' THEN format(' NOT NULL DEFAULT %L', $1::text) ELSE '' END), ''
            ORDER BY a.attnum) AS statement
        FROM pg_attribute a JOIN live l ON l.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT EXISTS (
            SELECT FROM pg_attribute s WHERE s.attrelid = 'stage.observation'::regclass AND s.attname = a.attname AND NOT s.attisdropped)
    UNION ALL SELECT 2, 'ALTER TABLE stage.observation_{stage}_m ALTER COLUMN run_id DROP DEFAULT'
    UNION ALL SELECT 3, format('DROP TABLE %I.observation', nspname) FROM there
    UNION ALL SELECT 4, format('ALTER TABLE stage.observation_{stage}_m SET SCHEMA %I', nspname) FROM there
    UNION ALL SELECT 5, format('ALTER TABLE %I.observation_{stage}_m RENAME TO observation', nspname) FROM there
    UNION ALL SELECT 6, format('ALTER TABLE %I.observation ADD CONSTRAINT %I %s', t.nspname, k.conname, pg_get_constraintdef(k.oid))
        FROM there t, live l JOIN pg_constraint k ON k.conrelid = l.oid AND k.contype IN ('c', 'p')
    UNION ALL SELECT 7, format('ALTER TABLE %I.observation SET (%s)', t.nspname, array_to_string(c.reloptions, ', '))
        FROM there t, live l JOIN pg_class c ON c.oid = l.oid WHERE c.reloptions IS NOT NULL
    UNION ALL SELECT 8, format('COMMENT ON COLUMN %I.observation.%I IS %L', t.nspname, a.attname, col_description(l.oid, a.attnum))
        FROM there t, live l JOIN pg_attribute a ON a.attrelid = l.oid WHERE a.attnum > 0 AND col_description(l.oid, a.attnum) IS NOT NULL
    UNION ALL SELECT 9, 'CREATE TABLE stage.observation_{stage}_m (LIKE stage.observation)'
    UNION ALL SELECT 10, format('ANALYZE %I.observation', nspname) FROM there
) s ORDER BY n
