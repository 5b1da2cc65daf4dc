INSERT INTO stage.seen_{stage} (type, id)
SELECT 'P', id FROM stage.patient_{stage}_m UNION ALL SELECT 'O', id FROM stage.observation_{stage}_m
