-- One of them, in the columns of rejected_list.sql. $1 number.
SELECT id, run_id::text, zip, resource_type, resource_id, reason, pointer, object, line,
    (extract(epoch FROM rejected_at) * 1e6)::bigint, (extract(epoch FROM replayed_at) * 1e6)::bigint
FROM rejected_resource WHERE id = $1::bigint
