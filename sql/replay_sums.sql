-- What was not read, and what was. $1 run id.
SELECT count(*) FILTER (WHERE state = 'failed'),
    (SELECT string_agg(error, '; ' ORDER BY seq) FROM (SELECT seq, error FROM batch WHERE run_id = $1::uuid AND state = 'failed' ORDER BY seq LIMIT 3) AS f),
    coalesce(sum(landed) FILTER (WHERE kind = 'patient_page' AND state <> 'failed'), 0)::bigint,
    coalesce(sum(landed) FILTER (WHERE kind = 'observations' AND state <> 'failed'), 0)::bigint
FROM batch WHERE run_id = $1::uuid
