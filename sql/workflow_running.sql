-- Runs that workflows of a namespace have. $1 this run alone, or NULL; $2 "temporal/<namespace>/".
SELECT id::text, zip, epoch, cancel_requested FROM run
WHERE state = 'running' AND starts_with(owner, $2::text) AND ($1::uuid IS NULL OR id = $1::uuid) ORDER BY ordinal LIMIT 1000
