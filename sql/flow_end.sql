-- Ends a run. $1 run id, $2 state, $3 error code, $4 error.
UPDATE run SET state = $2::text, ended_at = now(), owner = NULL, lease_until = NULL, progress = progress + 1,
    error_code = $3::text, error = $4::text,
    phase = CASE WHEN $2::text IN ('completed', 'incomplete') THEN 'done' ELSE phase END
WHERE id = $1::uuid
