-- Takes a replay up: whoever drove it before is fenced off. $1 run id, $2 owner, $3 lease in ms.
UPDATE run SET state = 'running', phase = 'read', owner = $2::text, epoch = epoch + 1, progress = progress + 1, cancel_requested = false,
    error = NULL, error_code = NULL, ended_at = NULL, started_at = coalesce(started_at, now()),
    lease_until = clock_timestamp() + $3::bigint * interval '1 millisecond'
WHERE id = $1::uuid AND kind = 'replay'
RETURNING epoch, remap
