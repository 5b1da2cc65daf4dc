-- $1 class, $2 number (slots.h). Nobody locks these exclusively.
SELECT pg_try_advisory_lock_shared($1::integer, $2::integer)
