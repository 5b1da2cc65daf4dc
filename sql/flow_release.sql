-- Gives a run up so that another engine can take it at once. $1 run id, $2 epoch.
UPDATE run SET owner = NULL, lease_until = NULL WHERE id = $1::uuid AND epoch = $2::bigint AND state = 'running'
