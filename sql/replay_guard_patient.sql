-- Who was deleted, or moved away, when or after the run had read them stays as they are. $1 when it marked its deletions, us.
DELETE FROM stage.patient_{stage}_m s USING patient t
WHERE t.id = s.id AND (t.deleted_at >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond'
    OR t.moved_at >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond')
