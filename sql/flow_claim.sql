-- Takes up one run. $1 owner, $2 lease in ms, $3 this run alone or NULL. A run that is running but whose lease ran out is taken over;
-- its former owner's epoch is over with that.
UPDATE run SET state = 'running', owner = $1::text, epoch = epoch + 1, progress = progress + 1,
    lease_until = clock_timestamp() + $2::bigint * interval '1 millisecond', started_at = coalesce(started_at, now())
WHERE id = (
    SELECT id FROM run
    WHERE (state = 'pending' OR state = 'running' AND (lease_until IS NULL OR lease_until < clock_timestamp()))
        AND ($3::uuid IS NULL OR id = $3::uuid) AND kind <> 'replay'
    ORDER BY ordinal LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id::text, zip, kind, phase, epoch, cancel_requested, allow_mass_delete,
    (extract(epoch FROM since) * 1e6)::bigint, source_url, mapping_version,
    (extract(epoch FROM server_time) * 1e6)::bigint, patient_history, observation_history, track_seen, remap
