-- Ends what is left in the server of a session that this connection has lost: it would keep its locks until TCP gives up. $1 pid, $2 application.
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
WHERE pid = $1::integer AND pid <> pg_backend_pid() AND application_name = $2::text AND datname = current_database() AND usename = current_user
