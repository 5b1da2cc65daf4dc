-- The gate's session (slots.h): a client that vanished without a word must not keep its slots for hours.
SELECT pg_backend_pid(),
    (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()),
    set_config('tcp_keepalives_idle', '20', false),
    set_config('tcp_keepalives_interval', '5', false),
    set_config('tcp_keepalives_count', '4', false),
    set_config('idle_session_timeout', '0', false)
