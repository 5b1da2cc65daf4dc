-- As flow_take.sql, for a step that is done by nobody else at the same time: attempts before this one write nothing any more. Waits for what they
-- are just committing.
UPDATE run SET attempt = attempt + 1 WHERE id = $1::uuid AND epoch = $2::bigint AND state = 'running'
RETURNING id::text, zip, kind, phase, epoch, cancel_requested, allow_mass_delete,
    (extract(epoch FROM since) * 1e6)::bigint, source_url, mapping_version,
    (extract(epoch FROM server_time) * 1e6)::bigint, patient_history, observation_history, track_seen, remap, attempt
