-- flow.h tells parameters and answers. A run whose owner's lease ran out has nobody to end it, so it ends here; should the owner
-- wake up after all, its fence finds the run ended.
UPDATE run SET cancel_requested = true, progress = progress + 1,
    state = CASE WHEN state = 'pending' OR lease_until IS NULL OR lease_until < clock_timestamp() THEN 'cancelled' ELSE state END,
    ended_at = CASE WHEN state = 'pending' OR lease_until IS NULL OR lease_until < clock_timestamp() THEN now() END
WHERE id = $1::uuid AND state IN ('pending', 'running')
RETURNING state
