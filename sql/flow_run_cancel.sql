-- flow.h tells parameters and answers.
UPDATE run SET cancel_requested = true, progress = progress + 1,
    state = CASE WHEN state = 'pending' THEN 'cancelled' ELSE state END,
    ended_at = CASE WHEN state = 'pending' THEN now() END
WHERE id = $1::uuid AND state IN ('pending', 'running')
RETURNING state
