-- Tombstones for patients. $1 JSON array of ids.
UPDATE patient p SET deleted_at = now() FROM jsonb_array_elements_text($1::jsonb) AS d (id)
WHERE p.id = d.id COLLATE "C" AND p.deleted_at IS NULL
