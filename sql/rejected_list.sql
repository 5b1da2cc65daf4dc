-- Resources that could not be mapped, newest first. $1 run or NULL, $2 zip or NULL, $3 limit.
SELECT id, run_id::text, zip, resource_type, resource_id, reason, pointer, object, line,
    (extract(epoch FROM rejected_at) * 1e6)::bigint, (extract(epoch FROM replayed_at) * 1e6)::bigint
FROM rejected_resource
WHERE ($1::uuid IS NULL OR run_id = $1::uuid) AND ($2::text IS NULL OR zip = $2::text)
ORDER BY id DESC LIMIT $3::bigint
