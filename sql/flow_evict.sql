-- Ends the sessions that hold a run's stage tables: called by a new owner before it starts anything, so they are a former owner's. It may
-- be stopped in the middle of a COPY, and would hold up the next merge as long as it stays so. $1 stage suffix.
SELECT pg_terminate_backend(holder.pid, 2000)
FROM (
    SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND c.relnamespace = 'stage'::regnamespace AND l.pid <> pg_backend_pid()
        AND c.relname IN ('patient_' || $1::text, 'observation_' || $1::text, 'seen_' || $1::text,
            'patient_' || $1::text || '_m', 'observation_' || $1::text || '_m')
        -- nobody's but ours: not autovacuum, not a dump
        AND a.backend_type = 'client backend' AND a.usename = current_user AND a.application_name LIKE 'fhirline %'
) AS holder
