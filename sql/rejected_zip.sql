-- Patients who were rejected live in the zip code. Not `whole`: the next run reads their observations. Who moved away after that stays
-- moved. $1 zip.
INSERT INTO patient_zip (zip, patient_id)
SELECT DISTINCT $1::text, id FROM stage.patient_{stage}_m
ON CONFLICT (zip, patient_id) DO UPDATE SET moved_at = NULL, whole = false
    WHERE patient_zip.moved_at < (
        SELECT max(r.rejected_at) FROM stage.patient_{stage}_m s JOIN rejected_resource r ON r.id = s.line
        WHERE s.id = excluded.patient_id)
