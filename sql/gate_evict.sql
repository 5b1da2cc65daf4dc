-- Ends the sessions that hold slots of class $1 and have said nothing for ten seconds: their processes hang. Live ones survey four times a second.
SELECT pg_terminate_backend(holder.pid, 0)
FROM (
    SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.classid = $1::integer::oid AND l.pid <> pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND a.usename = current_user AND a.state = 'idle' AND a.state_change < clock_timestamp() - interval '10 seconds'
) AS holder
