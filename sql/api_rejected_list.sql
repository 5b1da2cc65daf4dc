-- $1 run, $2 after this number, $3 limit. No row: no such run; a row of NULLs: the run has none (more).
SELECT {rejected}
FROM run LEFT JOIN LATERAL (
    SELECT * FROM rejected_resource WHERE run_id = run.id AND id > $2::bigint ORDER BY id LIMIT $3::bigint
) r ON true
WHERE run.id = $1::uuid
ORDER BY r.id
