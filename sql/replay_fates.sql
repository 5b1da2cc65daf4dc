-- $1 run id, $2 type, $3 deleted, $4 moved.
UPDATE run_count SET deleted = deleted + $3::bigint, moved = moved + $4::bigint WHERE run_id = $1::uuid AND resource_type = $2::text
