-- Which of the observations that the source's history calls deleted are here, and are this run's to mark: the history is of all zip codes,
-- and each has its own run, with its own guard against mass deletes. $1 zip, $2 JSON array of ids.
SELECT o.id FROM jsonb_array_elements_text($2::jsonb) AS d (id) JOIN observation o ON o.id = d.id COLLATE "C"
WHERE o.deleted_at IS NULL
    AND (EXISTS (SELECT FROM patient_zip z WHERE z.zip = $1::text AND z.patient_id = o.patient_id)
        OR NOT EXISTS (SELECT FROM patient_zip z WHERE z.patient_id = o.patient_id))
