-- What hangs on the live tables and would not hang on others in their place.
WITH live AS ( -- the tables that are exchanged, where the session finds them
    SELECT c.oid, c.relname, n.nspname, c.relowner, c.relacl, c.reloptions FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid IN ('patient'::regclass, 'patient_zip'::regclass, 'observation'::regclass, 'zipcode'::regclass)
)
SELECT format('trigger %s of %s', t.tgname, l.relname) FROM pg_trigger t JOIN live l ON l.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL SELECT format('extended statistics %s of %s', s.stxname, l.relname) FROM pg_statistic_ext s JOIN live l ON l.oid = s.stxrelid
UNION ALL SELECT format('row security policy %s of %s', p.polname, l.relname) FROM pg_policy p JOIN live l ON l.oid = p.polrelid
UNION ALL SELECT format('foreign key %s of %s', k.conname, k.conrelid::regclass) FROM pg_constraint k
    WHERE k.contype = 'f' AND (k.conrelid IN (SELECT oid FROM live) OR k.confrelid IN (SELECT oid FROM live))
UNION ALL SELECT format('table %s, which inherits from %s', i.inhrelid::regclass, l.relname) FROM pg_inherits i JOIN live l ON l.oid = i.inhparent
UNION ALL SELECT format('publication %s of %s', p.pubname, l.relname)
    FROM pg_publication_rel r JOIN live l ON l.oid = r.prrelid JOIN pg_publication p ON p.oid = r.prpubid
UNION ALL SELECT DISTINCT format('%s %s', CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'rule of' END, v.oid::regclass)
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass JOIN pg_class v ON v.oid = r.ev_class
    WHERE d.refobjid IN (SELECT oid FROM live) AND d.refclassid = 'pg_class'::regclass AND v.relkind <> 'v'
