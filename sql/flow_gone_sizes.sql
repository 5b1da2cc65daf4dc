-- How many the zip code has. $1 zip.
SELECT count(*), (SELECT count(*) FROM observation o JOIN patient_zip p ON p.patient_id = o.patient_id
        WHERE p.zip = $1::text AND p.moved_at IS NULL AND o.deleted_at IS NULL)
FROM patient_zip WHERE zip = $1::text AND moved_at IS NULL
