-- $1 after this id, $2 limit, $3 first name; $4 last name, $5 gender, $6 birth date, each or NULL.
SELECT {patient}
FROM patient p
WHERE lower(p.first_name) = lower($3::text) AND p.id > $1::text AND p.deleted_at IS NULL
    AND ($4::text IS NULL OR lower(p.family_name) = lower($4::text))
    AND ($5::text IS NULL OR p.gender = $5::text)
    AND ($6::date IS NULL OR p.birth_date = $6::date)
ORDER BY p.id LIMIT $2::bigint
