-- A workflow takes a run up. $1 run id, $2 owner: "temporal/<namespace>/<workflow id>/<its first run's id>", $3 the same without the last, $4 lease in ms.
-- At most one workflow of an id runs: whoever had the run under the same workflow id has ended, and its epoch ends here. The same owner
-- again (continued as new, or an answer was lost) keeps its epoch. No row: the run has ended, or somebody else has it.
UPDATE run SET state = 'running', owner = $2::text, progress = progress + 1,
    epoch = CASE WHEN state = 'running' AND owner = $2::text THEN epoch ELSE epoch + 1 END,
    lease_until = clock_timestamp() + $4::bigint * interval '1 millisecond', started_at = coalesce(started_at, now())
WHERE id = $1::uuid AND kind <> 'replay'
    AND (state = 'pending' OR state = 'running'
        AND (starts_with(owner, $3::text) OR lease_until IS NULL OR lease_until < clock_timestamp()))
RETURNING id::text, zip, kind, phase, epoch, cancel_requested, allow_mass_delete,
    (extract(epoch FROM since) * 1e6)::bigint, source_url, mapping_version,
    (extract(epoch FROM server_time) * 1e6)::bigint, patient_history, observation_history, track_seen, remap
