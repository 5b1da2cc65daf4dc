UPDATE run SET phase = 'done' WHERE id = $1::uuid
