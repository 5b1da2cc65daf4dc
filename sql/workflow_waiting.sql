-- Runs that wait for somebody to begin them, oldest first. $1 this run alone, or NULL.
SELECT id::text, zip FROM run
WHERE state = 'pending' AND kind <> 'replay' AND ($1::uuid IS NULL OR id = $1::uuid) ORDER BY ordinal LIMIT 100
