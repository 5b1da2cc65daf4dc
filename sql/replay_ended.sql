-- The newest replay of a zip code into a schema, when it has ended and came as far as the run. The schema is first in the path. $1 zip,
-- $2 key of the schema, $3 last run. One that is not whole is done again: what was damaged may have been mended.
SELECT r.id::text FROM run r JOIN zipcode z ON z.zip = r.zip AND z.last_run_id = $3::uuid
WHERE r.zip = $1::text AND r.kind = 'replay' AND r.limits ->> 'into' = $2::text
    AND r.ordinal = (SELECT max(ordinal) FROM run n WHERE n.zip = $1::text AND n.kind = 'replay' AND n.limits ->> 'into' = $2::text)
    AND r.state IN ('completed', 'incomplete') AND z.watermark IS NOT NULL
