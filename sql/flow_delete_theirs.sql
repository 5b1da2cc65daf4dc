-- Tombstones for the observations of deleted patients. $1 JSON array of patient ids.
UPDATE observation o SET deleted_at = now() FROM jsonb_array_elements_text($1::jsonb) AS d (id)
WHERE o.patient_id = d.id COLLATE "C" AND o.deleted_at IS NULL
