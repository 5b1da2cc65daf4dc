-- $1 run id, $2 type, $3 inserted, $4 updated, $5 unchanged, $6 duplicates.
UPDATE run_count SET inserted = inserted + $3::bigint, updated = updated + $4::bigint, unchanged = unchanged + $5::bigint,
    duplicates = duplicates + $6::bigint
WHERE run_id = $1::uuid AND resource_type = $2::text
