-- What was deleted when or after the run had read it stays deleted. $1 when it marked its deletions, us.
DELETE FROM stage.observation_{stage}_m s USING observation t
WHERE t.id = s.id AND t.deleted_at >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond'
