-- What there is to add up. $1 run id.
SELECT count(*) FILTER (WHERE b.state = 'failed'), min(b.error) FILTER (WHERE b.state = 'failed'),
    (SELECT expected FROM batch p WHERE p.run_id = $1::uuid AND p.kind = 'patient_page' ORDER BY p.seq DESC LIMIT 1)
        + coalesce(sum(b.fetched + b.elsewhere) FILTER (WHERE b.kind = 'lookup'), 0),
    sum(b.expected) FILTER (WHERE b.kind = 'observations' OR b.kind = 'observation_page' AND b.next_url IS NULL), -- of a chain the last page's
    r.reconciliation, count(b.seq) FILTER (WHERE b.state NOT IN ('merged', 'failed'))
FROM run r LEFT JOIN batch b ON b.run_id = r.id
WHERE r.id = $1::uuid
GROUP BY r.id
