-- Rejected resources are there, so they are not gone. $1 JSON array as of flow_reject.
INSERT INTO stage.seen_{stage} (type, id)
SELECT CASE WHEN r.type = 'Patient' THEN 'P' ELSE 'O' END, r.id FROM jsonb_to_recordset($1::jsonb) AS r (type text, id text)
WHERE r.id IS NOT NULL
