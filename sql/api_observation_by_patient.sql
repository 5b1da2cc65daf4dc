-- One patient's, newest first, those without a date last. $1 patient, $2 limit; behind $3 effective_at (NULL: those without one)
-- and $4 id, when $4 is not NULL; $5 code, $6 from, $7 before, each or NULL.
SELECT {observation}
FROM observation o
WHERE o.patient_id = $1::text AND o.deleted_at IS NULL
    AND ($4::text IS NULL OR (CASE WHEN $3::timestamptz IS NULL THEN o.effective_at IS NULL AND o.id > $4::text
        ELSE o.effective_at IS NULL OR o.effective_at < $3::timestamptz
            OR (o.effective_at = $3::timestamptz AND o.id > $4::text) END))
    AND ($5::text IS NULL OR o.code = $5::text)
    AND ($6::timestamptz IS NULL OR o.effective_at >= $6::timestamptz)
    AND ($7::timestamptz IS NULL OR o.effective_at < $7::timestamptz)
ORDER BY o.effective_at DESC NULLS LAST, o.id LIMIT $2::bigint
