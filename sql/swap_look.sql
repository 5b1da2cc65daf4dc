-- The schema that a replay is to load: is it there, and what is said of it; and are the live tables empty. $1 schema.
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text),
    (SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = $1::text),
    NOT EXISTS (SELECT FROM patient) AND NOT EXISTS (SELECT FROM observation) AND NOT EXISTS (SELECT FROM patient_zip)
        AND NOT EXISTS (SELECT FROM zipcode)
