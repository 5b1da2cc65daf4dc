-- What a chain of pages has given so far. $1 run id, $2 kind.
SELECT coalesce(sum(fetched), 0)::bigint, coalesce(sum(elsewhere), 0)::bigint FROM batch WHERE run_id = $1::uuid AND kind = $2::text
