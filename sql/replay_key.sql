-- A schema as replays know it: one that was dropped and made again is another. $1 name.
SELECT nspname || '/' || oid FROM pg_namespace WHERE nspname = $1::text
