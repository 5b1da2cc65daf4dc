-- Rows written by this transaction (and by earlier ones of the session that are not yet reported: take differences).
SELECT pg_stat_get_xact_tuples_inserted('patient'::regclass), pg_stat_get_xact_tuples_updated('patient'::regclass),
    pg_stat_get_xact_tuples_inserted('observation'::regclass), pg_stat_get_xact_tuples_updated('observation'::regclass)
