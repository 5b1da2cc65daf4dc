-- $1 run id, $2 what the numbers say.
UPDATE run SET reconciliation = $2::text, phase = 'done' WHERE id = $1::uuid
