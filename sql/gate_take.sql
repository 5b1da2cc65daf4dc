-- Tries the slots $2 (integer[], in this order) of class $1 one after another until $3 of them are ours -> those.
WITH RECURSIVE attempt (i, slot, ok, got) AS (
    SELECT 0, 0, false, 0
    UNION ALL
    SELECT a.i + 1, tried.slot, tried.ok, a.got + tried.ok::integer
    FROM attempt a
    CROSS JOIN LATERAL (
        SELECT s.slot, pg_try_advisory_lock($1::integer, s.slot) AS ok FROM (SELECT ($2::integer[])[a.i + 1]) AS s (slot)
    ) tried
    WHERE a.i < cardinality($2::integer[]) AND a.got < $3::integer
)
SELECT slot FROM attempt WHERE ok
