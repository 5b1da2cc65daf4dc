-- Patients of the zip code whom the source no longer lists there, or lists for a postal code that only begins like it. $1 zip.
SELECT patient_id FROM patient_zip z
WHERE z.zip = $1::text AND z.moved_at IS NULL
    AND (NOT EXISTS (SELECT FROM stage.seen_{stage} s WHERE s.type = 'P' AND s.id = z.patient_id)
        OR EXISTS (SELECT FROM stage.seen_{stage} s WHERE s.type = 'E' AND s.id = z.patient_id))
ORDER BY patient_id
