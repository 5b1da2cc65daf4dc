-- Tombstones for observations by id. $1 JSON array of ids.
UPDATE observation o SET deleted_at = now() FROM jsonb_array_elements_text($1::jsonb) AS d (id)
WHERE o.id = d.id COLLATE "C" AND o.deleted_at IS NULL
