-- Marks who then lived in none of their zip codes any more. $1 JSON array of ids, $2 when, us, $3 run id, $4 zip.
UPDATE patient p SET moved_at = timestamptz 'epoch' + $2::bigint * interval '1 microsecond'
FROM jsonb_array_elements_text($1::jsonb) AS d (id)
WHERE p.id = d.id COLLATE "C" AND p.moved_at IS NULL AND p.deleted_at IS NULL AND p.run_id <= $3::uuid
    AND NOT EXISTS (SELECT FROM patient_zip z WHERE z.patient_id = p.id AND z.zip <> $4::text AND z.moved_at IS NULL)
