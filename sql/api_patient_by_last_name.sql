-- $1 after this id, $2 limit, $3 last name; $4 gender, $5 birth date, each or NULL.
SELECT {patient}
FROM patient p
WHERE lower(p.family_name) = lower($3::text) AND p.id > $1::text AND p.deleted_at IS NULL
    AND ($4::text IS NULL OR p.gender = $4::text)
    AND ($5::date IS NULL OR p.birth_date = $5::date)
ORDER BY p.id LIMIT $2::bigint
