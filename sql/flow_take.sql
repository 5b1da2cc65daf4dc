-- A run that somebody works on, for one activity. $1 run id, $2 epoch. No row: it has ended, or has another owner.
SELECT id::text, zip, kind, phase, epoch, cancel_requested, allow_mass_delete,
    (extract(epoch FROM since) * 1e6)::bigint, source_url, mapping_version,
    (extract(epoch FROM server_time) * 1e6)::bigint, patient_history, observation_history, track_seen, remap
FROM run WHERE id = $1::uuid AND epoch = $2::bigint AND state = 'running'
