-- $1 run id, $2 phase.
UPDATE run SET phase = $2::text WHERE id = $1::uuid
