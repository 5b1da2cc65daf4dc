-- What there is to add up. $1 run id.
SELECT count(*) FILTER (WHERE state = 'failed'), min(error) FILTER (WHERE state = 'failed'),
    (SELECT expected FROM batch p WHERE p.run_id = $1::uuid AND p.kind = CASE WHEN r.kind = 'incremental' THEN 'id_page' ELSE 'patient_page' END
        ORDER BY p.seq DESC LIMIT 1),
    sum(b.expected) FILTER (WHERE b.kind IN ('observations', 'observation_page')),
    r.reconciliation, count(b.seq) FILTER (WHERE b.state NOT IN ('merged', 'failed'))
FROM run r LEFT JOIN batch b ON b.run_id = r.id
WHERE r.id = $1::uuid
GROUP BY r.id
