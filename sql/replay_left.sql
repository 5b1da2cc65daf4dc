-- Who left the zip code with a run. $1 JSON array of ids, $2 when, us, $3 number of the run.
UPDATE stage.zip_{stage} z SET gone = $3::integer, gone_at = timestamptz 'epoch' + $2::bigint * interval '1 microsecond'
FROM jsonb_array_elements_text($1::jsonb) AS d (id)
WHERE z.patient_id = d.id COLLATE "C" AND z.gone < $3::integer
