-- Marks patients who live in none of their zip codes any more. $1 JSON array of ids.
UPDATE patient p SET moved_at = now() FROM jsonb_array_elements_text($1::jsonb) AS d (id)
WHERE p.id = d.id COLLATE "C" AND p.moved_at IS NULL AND p.deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM patient_zip z WHERE z.patient_id = p.id AND z.moved_at IS NULL)
