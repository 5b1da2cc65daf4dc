-- $1 run id, $2 type, $3 the server's count.
UPDATE run_count SET expected = $3::bigint WHERE run_id = $1::uuid AND resource_type = $2::text
