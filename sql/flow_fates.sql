-- What became of resources that no landed object shows: 'd' observations and 'p' patients that are deleted, 'l' patients who have left the
-- zip code, in this run; 'o' patients of whom some observation was never read (flow_whole.sql is about to mark the others). $1 run id, $2 zip.
SELECT DISTINCT type, id FROM stage.seen_{stage} WHERE type IN ('d', 'p', 'l')
UNION ALL
(SELECT 'o', patient_id FROM patient_zip WHERE zip = $2::text AND NOT whole
EXCEPT
SELECT 'o', unnest(p.patient_ids[g.first + 1 : g.first + g.patients])
FROM batch g JOIN batch p ON p.run_id = g.run_id AND p.seq = g.page_seq
WHERE g.run_id = $1::uuid AND g.kind = 'observations' AND g.state = 'merged' AND g.missing = 0 AND g.rejected = 0)
ORDER BY 1, 2
