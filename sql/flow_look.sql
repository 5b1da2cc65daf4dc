-- What LOOK found out, and the way on to reading. $1 run id, $2 since (us or NULL), $3 server's time, us, $4 watermark, us, $5 patient history,
-- $6 observation history, $7 zip, $8 mapping version.
UPDATE run SET phase = 'read', since = to_timestamp($2::bigint / 1e6), server_time = to_timestamp($3::bigint / 1e6),
    watermark = to_timestamp($4::bigint / 1e6), patient_history = $5::boolean, observation_history = $6::boolean,
    track_seen = EXISTS (SELECT FROM patient_zip WHERE zip = $7::text),
    remap = EXISTS (SELECT FROM zipcode WHERE zip = $7::text AND mapping_version <> $8::integer)
WHERE id = $1::uuid
RETURNING track_seen, remap
