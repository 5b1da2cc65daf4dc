-- $1 run id, $2 zip, $3 source, $4 mapping version, $5 key of the schema or ''.
WITH created AS (
    INSERT INTO run (id, zip, source_url, mapping_version, kind, state, limits, remap)
    SELECT $1::uuid, $2::text, $3::text, $4::integer, 'replay', 'pending', jsonb_build_object('into', $5::text),
        EXISTS (SELECT FROM zipcode WHERE zip = $2::text AND mapping_version <> $4::integer)
    RETURNING id
)
INSERT INTO run_count (run_id, resource_type) SELECT id, unnest(ARRAY['Patient', 'Observation']) FROM created
