-- $1 after this id, $2 limit.
SELECT {patient} FROM patient p WHERE p.id > $1::text AND p.deleted_at IS NULL ORDER BY p.id LIMIT $2::bigint
