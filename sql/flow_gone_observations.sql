-- How many observations of the zip code's patients the source no longer lists. $1 zip.
SELECT count(*) FROM observation o JOIN patient_zip z ON z.patient_id = o.patient_id
WHERE z.zip = $1::text AND z.moved_at IS NULL AND o.deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM stage.seen_{stage} s WHERE s.type = 'O' AND s.id = o.id)
    AND EXISTS (SELECT FROM stage.seen_{stage} p WHERE p.type = 'P' AND p.id = o.patient_id)
