-- What is loaded of a zip code. $1 zip, $2 source, $3 mapping version, $4 run id, $5 advance the watermark.
INSERT INTO zipcode AS z (zip, source_url, mapping_version, watermark, patients, observations, first_loaded_at, last_loaded_at, last_run_id)
SELECT $1::text, $2::text, $3::integer, CASE WHEN $5::boolean THEN r.watermark END,
    (SELECT count(*) FROM patient_zip p WHERE p.zip = $1::text AND p.moved_at IS NULL),
    CASE WHEN r.kind = 'full' AND $5::boolean -- it has just read them all
        THEN (SELECT inserted + updated + unchanged FROM run_count WHERE run_id = r.id AND resource_type = 'Observation')
        ELSE (SELECT count(*) FROM observation o JOIN patient_zip p ON p.patient_id = o.patient_id
            WHERE p.zip = $1::text AND p.moved_at IS NULL AND o.deleted_at IS NULL) END,
    now(), now(), $4::uuid
FROM run r WHERE r.id = $4::uuid
ON CONFLICT (zip) DO UPDATE SET patients = excluded.patients, observations = excluded.observations,
    last_loaded_at = excluded.last_loaded_at, last_run_id = excluded.last_run_id,
    source_url = CASE WHEN $5::boolean THEN excluded.source_url ELSE z.source_url END,
    mapping_version = CASE WHEN $5::boolean THEN excluded.mapping_version ELSE z.mapping_version END,
    watermark = CASE WHEN $5::boolean THEN excluded.watermark ELSE z.watermark END
