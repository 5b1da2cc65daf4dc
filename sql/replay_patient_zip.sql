-- Who lives in the zip code after its last run. Rows that are there stay as they are when a later run than that has written.
-- $1 zip, $2 the last run, $3 JSON array of patients who are not whole, $4 whether the others are, $5 all rows that are there are this replay's.
INSERT INTO patient_zip AS z (zip, patient_id, whole, moved_at)
SELECT $1::text, s.patient_id,
    $4::boolean AND NOT EXISTS (SELECT FROM jsonb_array_elements_text($3::jsonb) AS o (id) WHERE o.id COLLATE "C" = s.patient_id),
    CASE WHEN s.gone >= s.landed THEN s.gone_at END
FROM stage.zip_{stage} s
ON CONFLICT (zip, patient_id) DO UPDATE SET whole = excluded.whole, moved_at = excluded.moved_at
WHERE (z.whole, z.moved_at) IS DISTINCT FROM (excluded.whole, excluded.moved_at) AND $4::boolean
    AND ($5::boolean OR NOT EXISTS (
        SELECT FROM run r WHERE r.zip = $1::text AND r.kind <> 'replay' AND r.id > $2::uuid AND r.phase <> 'look'))
