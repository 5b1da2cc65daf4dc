-- Patients who have left the zip code, whether deleted or moved. $1 zip, $2 JSON array of ids.
UPDATE patient_zip z SET moved_at = now() FROM jsonb_array_elements_text($2::jsonb) AS d (id)
WHERE z.zip = $1::text AND z.patient_id = d.id COLLATE "C" AND z.moved_at IS NULL
