-- What LOOK found out, and the way on to reading. $1 run id, $2 since (us or NULL), $3 server's time, us, $4 watermark, us, $5 patient history,
-- $6 observation history, $7 zip, $8 mapping version. Rows of another mapping may be there since the last whole load with it, or of a run that
-- broke off before there was any.
UPDATE run SET phase = 'read', since = to_timestamp($2::bigint / 1e6), server_time = to_timestamp($3::bigint / 1e6),
    watermark = to_timestamp($4::bigint / 1e6), patient_history = $5::boolean, observation_history = $6::boolean,
    track_seen = EXISTS (SELECT FROM patient_zip WHERE zip = $7::text),
    remap = EXISTS (SELECT FROM zipcode WHERE zip = $7::text AND mapping_version <> $8::integer)
        OR EXISTS (SELECT FROM run other WHERE other.zip = $7::text AND other.mapping_version <> $8::integer AND other.phase <> 'look')
            AND NOT EXISTS (SELECT FROM zipcode WHERE zip = $7::text AND mapping_version = $8::integer AND watermark IS NOT NULL)
WHERE id = $1::uuid
RETURNING track_seen, remap
