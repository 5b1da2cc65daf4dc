-- A run whose workflow has ended without saying so here. $1 run id, $2 epoch, $3 why. It can be resumed.
UPDATE run SET state = 'failed', ended_at = now(), owner = NULL, lease_until = NULL, progress = progress + 1,
    error_code = 'cancelled', error = $3::text
WHERE id = $1::uuid AND epoch = $2::bigint AND state = 'running'
