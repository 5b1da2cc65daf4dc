-- Who shares the source. $1 class -> processes here (this one included when it has said so), others that are hungry, others that are wanting (slots.h).
SELECT count(*) FILTER (WHERE objid = 1000), count(*) FILTER (WHERE objid = 1001 AND pid <> pg_backend_pid()),
    count(*) FILTER (WHERE objid = 1002 AND pid <> pg_backend_pid())
FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid = $1::integer::oid
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
