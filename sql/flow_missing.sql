-- How many resources the source says it has but did not give. $1 run id.
SELECT coalesce(sum(missing), 0)::bigint FROM batch WHERE run_id = $1::uuid
