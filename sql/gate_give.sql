-- Gives the slots $2 (integer[]) of class $1 back -> how many were ours.
SELECT count(*) FILTER (WHERE given) FROM (SELECT pg_advisory_unlock($1::integer, s) AS given FROM unnest($2::integer[]) s) g
