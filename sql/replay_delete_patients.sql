-- A run's tombstones for patients, as they were. Who was written by a later run has come back. $1 JSON array of ids, $2 when, us, $3 run id.
UPDATE patient p SET deleted_at = timestamptz 'epoch' + $2::bigint * interval '1 microsecond'
FROM jsonb_array_elements_text($1::jsonb) AS d (id)
WHERE p.id = d.id COLLATE "C" AND p.deleted_at IS NULL AND p.run_id <= $3::uuid
