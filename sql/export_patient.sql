-- All patients that live in a zip code now, by id. $1 zip code.
SELECT {patient}
FROM patient_zip z JOIN patient p ON p.id = z.patient_id
WHERE z.zip = $1::text AND z.moved_at IS NULL AND p.deleted_at IS NULL
ORDER BY z.patient_id
