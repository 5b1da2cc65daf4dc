-- $1 class, $2 number (slots.h).
SELECT pg_advisory_unlock_shared($1::integer, $2::integer)
