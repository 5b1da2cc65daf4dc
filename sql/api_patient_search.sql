-- $1 after this id, $2 limit; $3 gender, $4 birth date, each or NULL. There is no index for these: it reads on until enough are found.
SELECT {patient}
FROM patient p
WHERE p.id > $1::text AND p.deleted_at IS NULL
    AND ($3::text IS NULL OR p.gender = $3::text)
    AND ($4::date IS NULL OR p.birth_date = $4::date)
ORDER BY p.id LIMIT $2::bigint
