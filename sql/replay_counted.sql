-- $1 run id, $2 type, $3 lines that the manifests name, $4 how many of these were not read.
UPDATE run_count SET expected = $3::bigint, missing = $4::bigint WHERE run_id = $1::uuid AND resource_type = $2::text
