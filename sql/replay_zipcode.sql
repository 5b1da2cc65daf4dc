-- What is loaded of the zip code. What a later run has noted stays. $1 zip, $2 source, $3 mapping version, $4 the last run, $5 its watermark,
-- us or NULL, $6 and $7 when the first and the last run ended, us or NULL, $8 nothing that was landed is missing here.
INSERT INTO zipcode AS z (zip, source_url, mapping_version, watermark, patients, observations, first_loaded_at, last_loaded_at, last_run_id)
SELECT $1::text, $2::text, $3::integer,
    CASE WHEN $8::boolean THEN timestamptz 'epoch' + $5::bigint * interval '1 microsecond' END,
    (SELECT count(*) FROM patient_zip p WHERE p.zip = $1::text AND p.moved_at IS NULL),
    (SELECT count(*) FROM observation o JOIN patient_zip p ON p.patient_id = o.patient_id
        WHERE p.zip = $1::text AND p.moved_at IS NULL AND o.deleted_at IS NULL),
    timestamptz 'epoch' + $6::bigint * interval '1 microsecond', timestamptz 'epoch' + $7::bigint * interval '1 microsecond', $4::uuid
ON CONFLICT (zip) DO UPDATE SET patients = excluded.patients, observations = excluded.observations, last_run_id = excluded.last_run_id,
    source_url = CASE WHEN $8::boolean THEN excluded.source_url ELSE z.source_url END,
    mapping_version = CASE WHEN $8::boolean THEN excluded.mapping_version ELSE z.mapping_version END,
    watermark = CASE WHEN $8::boolean THEN coalesce(excluded.watermark, z.watermark) ELSE z.watermark END,
    last_loaded_at = greatest(z.last_loaded_at, excluded.last_loaded_at)
WHERE z.last_run_id IS NULL OR z.last_run_id <= excluded.last_run_id
