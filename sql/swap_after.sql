-- Statements that make the new tables what the live ones are to others: owner, privileges, comments, and views that are bound to tables and
-- not to names. They name the live tables, and are run when the new ones bear those names. $1 the new ones' schema, for now.
WITH live AS ( -- the tables that are exchanged, where the session finds them
    SELECT c.oid, c.relname, n.nspname, c.relowner, c.relacl, c.reloptions FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid IN ('patient'::regclass, 'patient_zip'::regclass, 'observation'::regclass, 'zipcode'::regclass)
)
SELECT statement FROM (
    SELECT 1 AS n, format('ALTER TABLE %I.%I OWNER TO %I', nspname, relname, pg_get_userbyid(relowner)) AS statement FROM live
    UNION ALL SELECT 2 AS n, format('COMMENT ON TABLE %I.%I IS %L', nspname, relname, obj_description(oid, 'pg_class')) FROM live
        WHERE obj_description(oid, 'pg_class') IS NOT NULL
    UNION ALL SELECT 3 AS n, format('REVOKE ALL ON %I.%I FROM PUBLIC', nspname, relname) FROM live
    UNION ALL SELECT DISTINCT 4 AS n, format('REVOKE ALL ON %I.%I FROM %I', l.nspname, l.relname, pg_get_userbyid(a.grantee))
        FROM live l JOIN pg_class n ON n.oid = to_regclass(format('%I.%I', $1::text, l.relname)), aclexplode(n.relacl) a
        WHERE a.grantee NOT IN (0, n.relowner, l.relowner)
    UNION ALL SELECT 5 AS n, format('GRANT %s ON %I.%I TO %s%s', a.privilege_type, l.nspname, l.relname,
            CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM live l, aclexplode(l.relacl) a
    UNION ALL SELECT 6 AS n, format('GRANT %s (%I) ON %I.%I TO %s%s', a.privilege_type, c.attname, l.nspname, l.relname,
            CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM live l JOIN pg_attribute c ON c.attrelid = l.oid, aclexplode(c.attacl) a
    UNION ALL SELECT DISTINCT 7 AS n, format('CREATE OR REPLACE VIEW %s%s AS %s', format('%I.%I', n.nspname, v.relname),
            CASE WHEN v.reloptions IS NOT NULL THEN format(' WITH (%s)', array_to_string(v.reloptions, ', ')) ELSE '' END, pg_get_viewdef(v.oid))
        FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v' JOIN pg_namespace n ON n.oid = v.relnamespace
        WHERE d.refobjid IN (SELECT oid FROM live) AND d.refclassid = 'pg_class'::regclass
) s ORDER BY n
