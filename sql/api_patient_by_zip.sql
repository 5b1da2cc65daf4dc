-- $1 after this id, $2 limit, $3 zip code; $4 first name, $5 last name, $6 gender, $7 birth date, each or NULL.
SELECT {patient}
FROM patient_zip z JOIN patient p ON p.id = z.patient_id
WHERE z.zip = $3::text AND z.patient_id > $1::text AND z.moved_at IS NULL AND p.deleted_at IS NULL
    AND ($4::text IS NULL OR lower(p.first_name) = lower($4::text))
    AND ($5::text IS NULL OR lower(p.family_name) = lower($5::text))
    AND ($6::text IS NULL OR p.gender = $6::text)
    AND ($7::date IS NULL OR p.birth_date = $7::date)
ORDER BY z.patient_id LIMIT $2::bigint
