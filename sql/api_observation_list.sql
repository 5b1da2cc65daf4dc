-- All, by id: there is no index on the time alone. $1 after this id, $2 limit; $3 from, $4 before, each or NULL.
SELECT {observation}
FROM observation o
WHERE o.id > $1::text AND o.deleted_at IS NULL
    AND ($3::timestamptz IS NULL OR o.effective_at >= $3::timestamptz)
    AND ($4::timestamptz IS NULL OR o.effective_at < $4::timestamptz)
ORDER BY o.id LIMIT $2::bigint
