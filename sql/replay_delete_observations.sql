-- The same for observations.
UPDATE observation o SET deleted_at = timestamptz 'epoch' + $2::bigint * interval '1 microsecond'
FROM jsonb_array_elements_text($1::jsonb) AS d (id)
WHERE o.id = d.id COLLATE "C" AND o.deleted_at IS NULL AND o.run_id <= $3::uuid
