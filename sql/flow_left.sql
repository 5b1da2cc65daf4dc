-- Which observations belonged to a patient of the zip code and now belong to one who is not of it. $1 zip, $2 JSON array of {id, patient}.
SELECT o.id FROM jsonb_to_recordset($2::jsonb) AS c (id text, patient text)
JOIN observation o ON o.id = c.id COLLATE "C"
JOIN patient_zip z ON z.zip = $1::text AND z.patient_id = o.patient_id AND z.moved_at IS NULL
WHERE o.deleted_at IS NULL AND o.patient_id <> c.patient COLLATE "C"
    AND NOT EXISTS (SELECT FROM patient_zip n WHERE n.zip = $1::text AND n.patient_id = c.patient COLLATE "C" AND n.moved_at IS NULL)
