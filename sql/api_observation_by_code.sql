-- One code's, newest first, those without a date last. $1 code, $2 limit; behind $3 effective_at and $4 id ($4 NULL: from the
-- beginning; $3 NULL and $4 not: among those without a date); $5 from, $6 before, each or NULL. Two halves, because the index on
-- (code, effective_at) read backwards gives the order of the first.
SELECT * FROM (
    (SELECT {observation}
     FROM observation o
     WHERE o.code = $1::text AND o.deleted_at IS NULL
         AND o.effective_at >= coalesce($5::timestamptz, '-infinity')
         AND o.effective_at < coalesce($6::timestamptz, 'infinity')
         AND o.effective_at <= CASE WHEN $4::text IS NULL THEN 'infinity' WHEN $3::timestamptz IS NULL THEN '-infinity'
             ELSE $3::timestamptz END
         AND ($4::text IS NULL OR o.effective_at < $3::timestamptz OR o.id > $4::text)
     ORDER BY o.effective_at DESC, o.id LIMIT $2::bigint)
    UNION ALL
    (SELECT {observation}
     FROM observation o
     WHERE o.code = $1::text AND o.deleted_at IS NULL AND o.effective_at IS NULL
         AND $5::timestamptz IS NULL AND $6::timestamptz IS NULL
         AND ($4::text IS NULL OR $3::timestamptz IS NOT NULL OR o.id > $4::text)
     ORDER BY o.id LIMIT $2::bigint)
) AS both_halves
ORDER BY effective_at DESC NULLS LAST, id LIMIT $2::bigint
