-- A statement that drops a schema and all in it. $1 schema.
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', $1::text)
