-- How a run has ended, if it did so in this epoch. $1 run id, $2 epoch.
SELECT state FROM run WHERE id = $1::uuid AND epoch = $2::bigint AND state NOT IN ('pending', 'running')
