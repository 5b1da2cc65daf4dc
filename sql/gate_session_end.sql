-- Ends what is left of a session that this process has lost. $1 pid, $2 its backend_start, as gate_session.sql gave them.
SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE pid = $1::integer AND backend_start::text = $2::text
