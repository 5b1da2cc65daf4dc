-- Patients who have left the zip code, whether deleted or moved, and a list of them. $1 zip, $2 JSON array of ids.
WITH gone AS (
    UPDATE patient_zip z SET moved_at = now() FROM jsonb_array_elements_text($2::jsonb) AS d (id)
    WHERE z.zip = $1::text AND z.patient_id = d.id COLLATE "C" AND z.moved_at IS NULL
    RETURNING z.patient_id
)
INSERT INTO stage.seen_{stage} (type, id) SELECT 'l', patient_id FROM gone
