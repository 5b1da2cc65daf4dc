-- Who lives in the zip code. $1 zip.
INSERT INTO patient_zip (zip, patient_id)
SELECT DISTINCT $1::text, id FROM stage.patient_{stage}_m
ON CONFLICT (zip, patient_id) DO UPDATE SET moved_at = NULL, whole = false
    WHERE patient_zip.moved_at IS NOT NULL
