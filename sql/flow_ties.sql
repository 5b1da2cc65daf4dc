-- How a run stands in time: its watermark, when its deletions were marked (now, when there were none to mark), and the run of the zip code
-- that ended before it. $1 run id.
SELECT (extract(epoch FROM r.watermark) * 1e6)::bigint,
    coalesce((SELECT min(id::bigint) FROM stage.seen_{stage} WHERE type = 't'), (extract(epoch FROM now()) * 1e6)::bigint),
    (SELECT p.id::text FROM run p WHERE p.zip = r.zip AND p.ordinal < r.ordinal AND p.kind <> 'replay' AND p.state IN ('completed', 'incomplete')
        ORDER BY p.ordinal DESC LIMIT 1)
FROM run r WHERE r.id = $1::uuid
